// not run here: written by `python -m mmq_bridge.gatt.source` from profile.json; do not edit
// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A message of the GATT profile, version 1 (docs/gatt.md).
public enum GattMessage: Equatable, Sendable {
  case decision(Decision)
  case presence(Presence)
  case state(State)

  public static let version: UInt8 = 1
  public static let service = "2e31f500-bc2c-4e54-ab2b-225edf7266da"
  /// The characteristics that notify.
  public static let characteristics = [
    "2e31f501-bc2c-4e54-ab2b-225edf7266da",  // decision
    "2e31f502-bc2c-4e54-ab2b-225edf7266da",  // presence
    "2e31f503-bc2c-4e54-ab2b-225edf7266da",  // state
  ]

  /// One task of one decision; a decision about several tasks is told task by task.
  public struct Decision: Equatable, Sendable {
    /// which task, as in mmq_rules.h
    public let task: UInt32
    /// mmq_abstention_t: 0 is a decision, anything else why there is none
    public let abstention: UInt32
    /// the likeliest class of the task
    public let best: UInt32
    /// its probability; 0 where the network was not run
    public let confidence: Double
    /// end of the window, whole seconds after the device's second 0
    public let timeS: UInt32
    /// enrolling, filling: so many tokens at least must still come
    public let tokensLeft: UInt32
    /// of all sensors' tokens in the window
    public let presentShare: Double
    /// mask of the sensors that were normalised by the population
    public let notEnrolled: UInt32
  }

  /// One sensor in the newest window.
  public struct Presence: Equatable, Sendable {
    /// its number, as in mmq_spec.h
    public let sensor: UInt32
    /// mmq_kind_t: 0 eeg, 1 ecg, 2 ppg, ...
    public let kind: UInt32
    /// share of the window's tokens in which it was present
    public let presentShare: Double
    /// MMQ_WHY_*: why it is absent from the newest token, 0 where it is present
    public let reasons: UInt32
    /// end of the window
    public let timeS: UInt32
  }

  /// The device: may also be read.
  public struct State: Equatable, Sendable {
    /// how many the model has
    public let tasks: UInt32
    /// how many it reads
    public let sensors: UInt32
    /// tokens the enrolment still lasts; 0 when it is over
    public let enrolmentLeft: UInt32
    /// now
    public let timeS: UInt32
    /// the first 4 bytes of the model's SHA-256, the first byte the highest
    public let model: UInt32
  }

  /// Nil where it is too short, of another version or of no characteristic of the profile; what follows the
  /// fields is of a later one.
  public static func decode(_ characteristic: String, _ content: Data) -> GattMessage? {
    let bytes = [UInt8](content)
    guard let first = bytes.first, first == version else { return nil }
    switch characteristic.lowercased() {
    case "2e31f501-bc2c-4e54-ab2b-225edf7266da":
      guard bytes.count >= 15 else { return nil }
      return .decision(
        Decision(
          task: number(bytes, 1, 1),
          abstention: number(bytes, 2, 1),
          best: number(bytes, 3, 1),
          confidence: Double(number(bytes, 4, 2)) / 65535,
          timeS: number(bytes, 6, 4),
          tokensLeft: number(bytes, 10, 2),
          presentShare: Double(number(bytes, 12, 1)) / 255,
          notEnrolled: number(bytes, 13, 2)))
    case "2e31f502-bc2c-4e54-ab2b-225edf7266da":
      guard bytes.count >= 10 else { return nil }
      return .presence(
        Presence(
          sensor: number(bytes, 1, 1),
          kind: number(bytes, 2, 1),
          presentShare: Double(number(bytes, 3, 1)) / 255,
          reasons: number(bytes, 4, 2),
          timeS: number(bytes, 6, 4)))
    case "2e31f503-bc2c-4e54-ab2b-225edf7266da":
      guard bytes.count >= 13 else { return nil }
      return .state(
        State(
          tasks: number(bytes, 1, 1),
          sensors: number(bytes, 2, 1),
          enrolmentLeft: number(bytes, 3, 2),
          timeS: number(bytes, 5, 4),
          model: number(bytes, 9, 4)))
    default: return nil
    }
  }

  private static func number(_ bytes: [UInt8], _ at: Int, _ size: Int) -> UInt32 {
    (0..<size).reversed().reduce(0) { ($0 << 8) | UInt32(bytes[at + $1]) }
  }
}
