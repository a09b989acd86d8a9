// not run here
// SPDX-License-Identifier: Apache-2.0

/// What the device says at the end of a token: the fields of Python's Decision.
///
/// With `abstained` the `probabilities` are not to be acted on, and `reason` says why; they are empty where the model was not
/// run. `sensors` is the share of the window's tokens in which each modality was present, `absent` why the newest token lacks
/// one ("flat", "lost", ...). Of the sensors in `notEnrolled` it knows the wearer too little: show `notice`.
/// For a display take `shown` and `shownProbabilities`, the average of the last seconds: they flicker less. A task whose
/// class is under its threshold then is not in `shown`.
public struct Decision: Equatable, Sendable {
  public let timeS: Double
  public let probabilities: [String: [String: Float]]
  public let sensors: [String: Float]
  public var abstained = false
  public var reason: String?
  public var absent: [String: [String]] = [:]
  public var notEnrolled: [String] = []
  public var shownProbabilities: [String: [String: Float]] = [:]
  public var shown: [String: String] = [:]
  /// Which sensor would help an undecided wearer most; only of a bundle that was exported with --next-sensor, and simulated
  /// on validation people.
  public var nextSensor: String?

  /// The likeliest class of each task; empty where the model was not run.
  public var classes: [String: String] = [:]

  /// "not enrolled: ppg", or nil.
  public var notice: String? { notEnrolled.isEmpty ? nil : "not enrolled: " + notEnrolled.joined(separator: ", ") }
}

/// What went wrong.
public enum WearableError: Error, Equatable, Sendable {
  case memory
  case display(Double)  // expected 0 to 3600 s
  case status(String, Int32, String)  // where, a status of mmq_bridge.h, what that says
  case source(String)  // what a sensor or its framework said
}
