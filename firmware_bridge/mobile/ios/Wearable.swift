// not run here: needs Xcode 15, and nothing beside it
// SPDX-License-Identifier: Apache-2.0
//
// Add to the app's target: mmq_bridge/src/*.c, mmq_bridge/src/network/*.c, mmq_bridge/mmq_network.c and
// mmq_bridge/mmq_device.c (header search paths mmq_bridge and mmq_bridge/include, Other C Flags -ffp-contract=off), this
// file and the bridging header. For the phone's accelerator see LiteRTModel.swift, else leave that out.
import Foundation

/// What the model says at the end of a token. With a reason it abstains: the probabilities are not to be acted on.
/// Of the sensors in `notEnrolled` it knows the wearer too little: show `notice` beside the decision.
/// For a display take `shown` and `shownProbabilities`, the average of the last seconds: they flicker less. A task
/// whose class is under its threshold then is not in `shown`; both are empty where there are no probabilities.
struct Decision {
  let timeS: Double
  let probabilities: [String: [String: Float]]
  let reason: String?
  var notEnrolled: [String] = []
  var shownProbabilities: [String: [String: Float]] = [:]
  var shown: [String: String] = [:]

  /// "not enrolled: ppg", or nil.
  var notice: String? { notEnrolled.isEmpty ? nil : "not enrolled: " + notEnrolled.joined(separator: ", ") }
}

enum WearableError: Error {
  case memory
  case status(String, Int32)  // of mmq_bridge.h
  case display(Double)  // expected 0 to 3600 s
}

/// What runs the network instead of the C one: LiteRTModel, in an app that is built with MMQ_WITH_LITERT.
protocol WindowModel {
  /// Logits of one task after the other for features [tokens][features] and presence [tokens][modalities].
  func logits(_ features: [Float], _ presence: [Float]) throws -> [Float]
}

/// Raw samples in, decisions out: this bundle in an app. Use it from one thread or actor. The core runs the network and
/// decides; here its decisions get names. It needs no file of the bundle.
/// What is shown is the average of the decisions of the last `displayS` seconds; 0 shows each decision as it is.
final class Wearable {
  private static let ok = Int32(MMQ_OK.rawValue)
  private static let late = Int32(MMQ_LATE.rawValue)
  private static let noToken = Int32(MMQ_NO_TOKEN.rawValue)
  private static let decided = Int32(MMQ_DECIDED.rawValue)

  private let bridge: OpaquePointer
  private let model: WindowModel?
  private var features = [Float](repeating: 0, count: Int(mmq_device_tokens() * mmq_device_features()))
  private var presence = [Float](repeating: 0, count: Int(mmq_device_tokens() * mmq_device_modalities()))
  private var named = [UInt8](repeating: 0, count: Int(mmq_device_modalities()))
  private let tasks = (0..<mmq_device_tasks()).map { String(cString: mmq_device_task($0)) }
  private let classes = (0..<mmq_device_tasks()).map { task in
    (0..<mmq_device_classes(task)).map { String(cString: mmq_device_class(task, $0)) }
  }
  private var chances = [Float](
    repeating: 0, count: (0..<mmq_device_tasks()).reduce(0) { $0 + Int(mmq_device_classes($1)) })

  init(displayS: Double = 30, model: WindowModel? = nil) throws {
    guard (0...3600).contains(displayS) else { throw WearableError.display(displayS) }
    guard let device = mmq_device_create(displayS) else { throw WearableError.memory }
    bridge = device
    self.model = model
  }

  deinit { mmq_device_free(bridge) }

  /// Samples [channels][frames] of "ppg", "eda", ...; `timeS` is when the first frame was taken.
  func push(_ modality: String, _ samples: [Float], frames: Int, at timeS: Double) throws -> [Decision] {
    let number = mmq_device_modality(modality)
    if number < 0 { return [] }  // a sensor this model does not use
    let status = mmq_device_push(bridge, number, samples, Int64(samples.count), Int32(frames), timeS)
    guard status == Wearable.ok || status == Wearable.late else {
      throw WearableError.status(modality, status)
    }
    return try decide()
  }

  /// A radio packet of samples [channels][frames] with a counter instead of a time: that of its first frame.
  func pushCounted(_ modality: String, _ samples: [Float], frames: Int, firstIndex: UInt32) throws -> [Decision] {
    let number = mmq_device_modality(modality)
    if number < 0 { return [] }
    let status = mmq_device_push_counted(bridge, number, samples, Int64(samples.count), Int32(frames), firstIndex)
    guard status == Wearable.ok || status == Wearable.late else {
      throw WearableError.status(modality, status)
    }
    return try decide()
  }

  /// It is `timeS` now and nothing older will come: call it a few times a second, in case all sensors are silent.
  func advance(to timeS: Double) throws -> [Decision] {
    let status = mmq_device_advance(bridge, timeS)
    guard status == Wearable.ok else { throw WearableError.status("advance", status) }
    return try decide()
  }

  /// What the wearer taught, for `loadState` of the next start: keep it in the app's own files, it is personal.
  func saveState() throws -> Data {
    var state = [UInt8](repeating: 0, count: Int(mmq_device_state_bytes()))
    let status = mmq_device_save(bridge, &state, Int64(state.count))
    guard status == Wearable.ok else { throw WearableError.status("state", status) }
    return Data(state)
  }

  /// Takes over what `saveState` gave, before the first push: enrolment goes on where it stopped. False, and nothing
  /// is changed: it is damaged, of another model or of a newer app; this wearer enrols anew.
  func loadState(_ state: Data) -> Bool {
    mmq_device_load(bridge, [UInt8](state), Int64(state.count)) == Wearable.ok
  }

  /// The decisions that are due, oldest first.
  private func decide() throws -> [Decision] {
    var made: [Decision] = []
    while true {
      let status = try model.map(next) ?? mmq_device_step(bridge)
      if status == Wearable.noToken { return made }
      guard status == Wearable.ok else { throw WearableError.status("decide", status) }
      made.append(try read())
    }
  }

  /// The next decision, its network run by `model`.
  private func next(_ model: WindowModel) throws -> Int32 {
    let due = mmq_device_due(bridge)
    if due != Wearable.ok || mmq_device_abstention(bridge, 0) != Wearable.decided { return due }
    let status = mmq_device_due_window(
      bridge, &features, Int64(features.count), &presence, Int64(presence.count))
    guard status == Wearable.ok else { throw WearableError.status("window", status) }
    let logits = try model.logits(features, presence)
    return mmq_device_decide(bridge, logits, Int64(logits.count))
  }

  /// The core's decision with names.
  private func read() throws -> Decision {
    let status = mmq_device_not_enrolled(bridge, &named, Int64(named.count))
    guard status == Wearable.ok else { throw WearableError.status("enrolment", status) }
    let why = mmq_device_abstention(bridge, 0)
    var shown: [String: String] = [:]
    for (number, task) in tasks.enumerated() where mmq_device_sure(bridge, 1, Int32(number)) > 0 {
      shown[task] = classes[number][Int(mmq_device_best(bridge, 1, Int32(number)))]
    }
    return Decision(
      timeS: mmq_device_time_s(bridge),
      probabilities: probabilities(0),
      reason: why == Wearable.decided ? nil : String(cString: mmq_device_abstention_name(why)),
      notEnrolled: named.indices.filter { named[$0] > 0 }.map { String(cString: mmq_device_name(Int32($0))) },
      shownProbabilities: probabilities(1),
      shown: shown)
  }

  private func probabilities(_ shown: Int32) -> [String: [String: Float]] {
    if mmq_device_probabilities(bridge, shown, &chances, Int64(chances.count)) == 0 { return [:] }
    var values = chances.makeIterator()
    return Dictionary(uniqueKeysWithValues: zip(tasks, classes).map { task, names in
      (task, Dictionary(uniqueKeysWithValues: names.map { ($0, values.next() ?? 0) }))
    })
  }
}
