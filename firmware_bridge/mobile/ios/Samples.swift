// not run here
// SPDX-License-Identifier: Apache-2.0

/// What a sensor delivers. Values are [channels][frames] in the front end's units (acc g, eda uS, temp degC, ecg mV); NaN is a
/// lost sample. Times are seconds since the session began.
public enum Samples: Equatable, Sendable {
  /// At the model's rate; `at` is when the first frame was taken.
  case timed(String, [Float], frames: Int, at: Double)
  /// A radio packet at the model's rate with a counter instead of a time: that of its first frame.
  case counted(String, [Float], frames: Int, firstIndex: UInt32)
  /// One frame [channels] of a sensor with a rate of its own: the core interpolates.
  case frame(String, [Float], at: Double)

  var modality: String {
    switch self {
    case .timed(let name, _, _, _), .counted(let name, _, _, _), .frame(let name, _, _): return name
    }
  }
}
