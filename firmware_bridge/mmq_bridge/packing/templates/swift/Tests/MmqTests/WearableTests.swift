// not run here
// SPDX-License-Identifier: Apache-2.0
import XCTest

@testable import Mmq

final class WearableTests: XCTestCase {
  func testSilenceIsEnrolling() async throws {
    let wearable = try await Wearable.open().get()
    let made = try await wearable.advance(to: 60).get()
    XCTAssertFalse(made.isEmpty)
    XCTAssertTrue(made.allSatisfy { $0.abstained && $0.probabilities.isEmpty && $0.reason != nil })
  }

  func testAnUnknownSensorIsIgnored() async throws {
    let wearable = try await Wearable.open().get()
    let made = try await wearable.push(.timed("sonar", [0], frames: 1, at: 0)).get()
    XCTAssertTrue(made.isEmpty)
  }

  func testWhatIsShortIsAResult() async throws {
    let wearable = try await Wearable.open().get()
    for sensor in wearable.sensors {
      guard case .failure = await wearable.push(.timed(sensor, [], frames: 9, at: 0)) else {
        return XCTFail("\(sensor): took nine frames of none")
      }
    }
  }

  func testAMessageOfAnotherVersionIsNone() {
    XCTAssertNil(GattMessage.decode(GattMessage.characteristics[0], Data(repeating: 2, count: 15)))
  }
}
