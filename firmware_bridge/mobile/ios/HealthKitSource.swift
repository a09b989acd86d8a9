// not run here
// SPDX-License-Identifier: Apache-2.0
#if canImport(HealthKit)
  import Foundation
  import HealthKit

  /// Electrocardiograms of the past from HealthKit, for a `Wearable` that replays them: `began` is its second 0. HealthKit
  /// holds no raw PPG, EDA or motion; a recording is 30 s of one lead. The app needs the capability HealthKit and
  /// NSHealthShareUsageDescription, and asks by `authorise`; whether reading was allowed HealthKit does not say: it gives
  /// nothing.
  public struct HealthKitSource: SampleSource {
    private let store: HKHealthStore
    private let began: Date
    private let ended: Date

    public init(store: HKHealthStore, began: Date, ended: Date) {
      (self.store, self.began, self.ended) = (store, began, ended)
    }

    public static func authorise(_ store: HKHealthStore) async -> WearableError? {
      guard HKHealthStore.isHealthDataAvailable() else { return .source("HealthKit: not on this device") }
      do {
        try await store.requestAuthorization(toShare: [], read: [HKObjectType.electrocardiogramType()])
        return nil
      } catch {
        return .source("HealthKit: " + error.localizedDescription)
      }
    }

    public func samples() -> AsyncStream<Result<Samples, WearableError>> {
      AsyncStream { continuation in
        let reading = Task {
          do {
            for recording in try await recordings() { try await read(recording, continuation) }
          } catch {
            continuation.yield(.failure(.source("HealthKit: " + error.localizedDescription)))
          }
          continuation.finish()
        }
        continuation.onTermination = { _ in reading.cancel() }
      }
    }

    private func recordings() async throws -> [HKElectrocardiogram] {
      let range = HKQuery.predicateForSamples(withStart: began, end: ended)
      let order = [NSSortDescriptor(key: HKSampleSortIdentifierStartDate, ascending: true)]
      return try await withCheckedThrowingContinuation { waiting in
        store.execute(
          HKSampleQuery(
            sampleType: HKObjectType.electrocardiogramType(), predicate: range, limit: HKObjectQueryNoLimit,
            sortDescriptors: order
          ) { _, found, error in
            if let error { return waiting.resume(throwing: error) }
            waiting.resume(returning: (found ?? []).compactMap { $0 as? HKElectrocardiogram })
          })
      }
    }

    private func read(
      _ recording: HKElectrocardiogram, _ continuation: AsyncStream<Result<Samples, WearableError>>.Continuation
    ) async throws {
      let first = recording.startDate.timeIntervalSince(began)
      try await withCheckedThrowingContinuation { (waiting: CheckedContinuation<Void, Error>) in
        store.execute(
          HKElectrocardiogramQuery(recording) { _, result in
            switch result {
            case .measurement(let measured):
              let volts = measured.quantity(for: .appleWatchSimilarToLeadI)
              let value = volts.map { Float($0.doubleValue(for: .voltUnit(with: .milli))) } ?? .nan
              continuation.yield(.success(.frame("ecg", [value], at: first + measured.timeSinceSampleStart)))
            case .done: waiting.resume()
            case .error(let error): waiting.resume(throwing: error)
            @unknown default: break
            }
          })
      }
    }
  }
#endif
