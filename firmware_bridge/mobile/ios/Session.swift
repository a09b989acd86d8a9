// not run here
// SPDX-License-Identifier: Apache-2.0
//
// In an app without the Swift package: add mmq_bridge/src/*.c, mmq_bridge/src/network/*.c, mmq_bridge/mmq_network.c and
// mmq_bridge/mmq_device.c to its target (header search paths mmq_bridge and mmq_bridge/include, Other C Flags
// -ffp-contract=off), these files and the bridging header. For the phone's accelerator see LiteRTModel.swift, else leave
// that out.
import Foundation

#if canImport(CMmq)
  import CMmq
#endif

/// What runs the network instead of the C one: LiteRTModel, in an app that is built with MMQ_WITH_LITERT.
public protocol WindowModel {
  /// Logits of one task after the other for features [tokens][features] and presence [tokens][modalities].
  func logits(_ features: [Float], _ presence: [Float]) throws -> [Float]
}

/// One bridge, used by one thread at a time: samples in, decisions out. The core runs the network and decides; here its
/// decisions get names. It needs no file of the bundle.
final class Session {
  private static let ok = Int32(MMQ_OK.rawValue)
  private static let late = Int32(MMQ_LATE.rawValue)
  private static let noToken = Int32(MMQ_NO_TOKEN.rawValue)
  private static let decided = Int32(MMQ_DECIDED.rawValue)
  private static let tooSmall = Int32(MMQ_TOO_SMALL.rawValue)

  let modalities = (0..<mmq_device_modalities()).map { String(cString: mmq_device_name($0)) }
  private let bridge: OpaquePointer
  private let model: WindowModel?
  private let tasks = (0..<mmq_device_tasks()).map { String(cString: mmq_device_task($0)) }
  private let classes = (0..<mmq_device_tasks()).map { task in
    (0..<mmq_device_classes(task)).map { String(cString: mmq_device_class(task, $0)) }
  }
  private var features = [Float](repeating: 0, count: Int(mmq_device_tokens() * mmq_device_features()))
  private var presence = [Float](repeating: 0, count: Int(mmq_device_tokens() * mmq_device_modalities()))
  private var named = [UInt8](repeating: 0, count: Int(mmq_device_modalities()))
  private var chances: [Float]

  init(displayS: Double, model: WindowModel?) throws {
    guard (0...3600).contains(displayS) else { throw WearableError.display(displayS) }
    guard let device = mmq_device_create(displayS) else { throw WearableError.memory }
    bridge = device
    self.model = model
    chances = [Float](repeating: 0, count: classes.reduce(0) { $0 + $1.count })
  }

  deinit { mmq_device_free(bridge) }

  /// The decisions that samples complete, oldest first, mostly none; samples of a sensor the model has no use for are none.
  func push(_ samples: Samples) throws -> [Decision] {
    let number = mmq_device_modality(samples.modality)
    if number < 0 { return [] }
    let status = try take(samples, number)
    if status != Session.late { try check(status, samples.modality) }
    return try decide()
  }

  private func take(_ samples: Samples, _ number: Int32) throws -> Int32 {
    switch samples {
    case .timed(_, let values, let frames, let timeS):
      guard let count = Int32(exactly: frames) else { return Session.tooSmall }
      return mmq_device_push(bridge, number, values, Int64(values.count), count, timeS)
    case .counted(_, let values, let frames, let firstIndex):
      guard let count = Int32(exactly: frames) else { return Session.tooSmall }
      return mmq_device_push_counted(bridge, number, values, Int64(values.count), count, firstIndex)
    case .frame(_, let values, let timeS):
      return mmq_device_sample(bridge, number, values, Int64(values.count), timeS)
    }
  }

  /// It is `timeS` now and nothing older will come.
  func advance(to timeS: Double) throws -> [Decision] {
    try check(mmq_device_advance(bridge, timeS), "advance")
    return try decide()
  }

  func saveState() throws -> Data {
    var state = [UInt8](repeating: 0, count: Int(mmq_device_state_bytes()))
    try check(mmq_device_save(bridge, &state, Int64(state.count)), "state")
    return Data(state)
  }

  func loadState(_ state: Data) throws {
    try check(mmq_device_load(bridge, [UInt8](state), Int64(state.count)), "state")
  }

  private func check(_ status: Int32, _ what: String) throws {
    guard status != Session.ok else { return }
    throw WearableError.status(what, status, String(cString: mmq_device_sentence(status)))
  }

  private func decide() throws -> [Decision] {
    var made: [Decision] = []
    while true {
      let status = try model.map(next) ?? mmq_device_step(bridge)
      if status == Session.noToken { return made }
      try check(status, "decide")
      made.append(try read())
    }
  }

  /// The next decision, its network run by `model`.
  private func next(_ model: WindowModel) throws -> Int32 {
    let due = mmq_device_due(bridge)
    if due != Session.ok || mmq_device_abstention(bridge, 0) != Session.decided { return due }
    try check(
      mmq_device_due_window(bridge, &features, Int64(features.count), &presence, Int64(presence.count)), "window")
    let logits = try model.logits(features, presence)
    return mmq_device_decide(bridge, logits, Int64(logits.count))
  }

  /// The core's decision with names.
  private func read() throws -> Decision {
    try check(mmq_device_not_enrolled(bridge, &named, Int64(named.count)), "enrolment")
    var text = [CChar](repeating: 0, count: Int(MMQ_DEVICE_REASON_BYTES))
    try check(mmq_device_reason(bridge, &text, Int64(text.count)), "reason")
    let reason = String(cString: text)
    var sensors: [String: Float] = [:]
    var absent: [String: [String]] = [:]
    for (m, name) in modalities.enumerated() {
      sensors[name] = mmq_device_present(bridge, Int32(m))
      let why = mmq_device_why(bridge, Int32(m))
      if why != 0 { absent[name] = names(why) }
    }
    let next = mmq_device_next_sensor(bridge, .max)
    return Decision(
      timeS: mmq_device_time_s(bridge),
      probabilities: probabilities(0),
      sensors: sensors,
      abstained: mmq_device_abstention(bridge, 0) != Session.decided,
      reason: reason.isEmpty ? nil : reason,
      absent: absent,
      notEnrolled: named.indices.filter { named[$0] > 0 }.map { modalities[$0] },
      shownProbabilities: probabilities(1),
      shown: best(1) { mmq_device_sure(self.bridge, 1, $0) > 0 },
      nextSensor: next >= 0 ? modalities[Int(next)] : nil,
      classes: best(0) { _ in true })
  }

  private func names(_ reasons: Int32) -> [String] {
    var left = reasons
    var found: [String] = []
    while left != 0 {
      found.append(String(cString: mmq_device_why_name(left)))
      left &= left - 1
    }
    return found
  }

  /// The likeliest class of each task that counts.
  private func best(_ shown: Int32, _ counts: (Int32) -> Bool) -> [String: String] {
    var found: [String: String] = [:]
    for (number, task) in tasks.enumerated() where counts(Int32(number)) {
      let best = mmq_device_best(bridge, shown, Int32(number))
      if best >= 0 { found[task] = classes[number][Int(best)] }
    }
    return found
  }

  private func probabilities(_ shown: Int32) -> [String: [String: Float]] {
    if mmq_device_probabilities(bridge, shown, &chances, Int64(chances.count)) == 0 { return [:] }
    var values = chances.makeIterator()
    var found: [String: [String: Float]] = [:]
    for (task, names) in zip(tasks, classes) {
      var mine: [String: Float] = [:]
      for name in names { mine[name] = values.next() ?? 0 }
      found[task] = mine
    }
    return found
  }
}
