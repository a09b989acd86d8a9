// not run here: needs Xcode 15 and the Swift package LiteRT (github.com/google-ai-edge/LiteRT, branch release/2.3.0)
// SPDX-License-Identifier: Apache-2.0
//
// Add to the app's target: mmq_bridge/src/*.c and mmq_bridge/mmq_device.c (header search paths mmq_bridge and
// mmq_bridge/include, Other C Flags -ffp-contract=off), this folder, manifest.json and model_int8_float_io.tflite.
import CryptoKit
import Foundation
import LiteRT

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
  case missing(String)
  case changed(String)
  case status(String, Int32)  // of mmq_bridge.h
  case display(Double)  // expected 0 to 3600 s
}

/// Raw samples in, decisions out: this bundle in an app. Use it from one thread or actor.
/// What is shown is the average of the decisions of the last `displayS` seconds; 0 shows each decision as it is.
final class Wearable {
  private struct Manifest: Decodable {
    struct File: Decodable { let sha256: String }
    struct Rules: Decodable {
      let tasks: [String: [String]]
      let temperature: [String: Double]
      let min_confidence: [String: Double]
      let min_present_share: Double
      let every_tokens: Int64
    }
    let files: [String: File]
    let decision: Rules
  }

  private static let ok = Int32(MMQ_OK.rawValue)
  private static let late = Int32(MMQ_LATE.rawValue)
  private static let enrolling = Int32(MMQ_ENROLLING.rawValue)

  private let bridge: OpaquePointer
  private let rules: Manifest.Rules
  private let model: CompiledModel
  private let inputs: [TensorBuffer]
  private let outputs: [TensorBuffer]
  private let inputNames: [String]
  private let outputNames: [String]
  private var features = [Float](repeating: 0, count: Int(mmq_device_tokens() * mmq_device_features()))
  private var presence = [Float](repeating: 0, count: Int(mmq_device_tokens() * mmq_device_modalities()))
  private var named = [UInt8](repeating: 0, count: Int(mmq_device_modalities()))
  private let displayS: Double
  private var averaged: [Decision] = []
  private var decided: Int64 = 0

  init(bundle: Bundle = .main, displayS: Double = 30) throws {
    guard (0...3600).contains(displayS) else { throw WearableError.display(displayS) }
    self.displayS = displayS
    let manifest = try JSONDecoder().decode(
      Manifest.self, from: Data(contentsOf: Wearable.find("manifest.json", bundle)))
    let name = "model_int8_float_io.tflite"
    let file = try Wearable.find(name, bundle)
    let digest = SHA256.hash(data: try Data(contentsOf: file)).map { String(format: "%02x", $0) }.joined()
    guard digest == manifest.files[name]?.sha256 else { throw WearableError.changed(name) }
    rules = manifest.decision

    let options = try Options()
    try options.setHardwareAccelerators([.cpu])
    let compiled = try CompiledModel(filePath: file.path, environment: Environment(), options: options)
    inputs = try compiled.createInputBuffers()
    outputs = try compiled.createOutputBuffers()
    inputNames = try inputs.indices.map { try compiled.inputName(inputIndex: $0) }
    outputNames = try outputs.indices.map { try compiled.outputName(outputIndex: $0) }
    model = compiled
    guard let device = mmq_device_create() else { throw WearableError.missing("memory for the bridge") }
    bridge = device
  }

  deinit { mmq_device_free(bridge) }

  /// Samples [channels][frames] of "ppg", "eda", ...; `timeS` is when the first frame was taken.
  func push(_ modality: String, _ samples: [Float], frames: Int, at timeS: Double) throws -> Decision? {
    let number = mmq_device_modality(modality)
    if number < 0 { return nil }  // a sensor this model does not use
    let status = mmq_device_push(bridge, number, samples, Int64(samples.count), Int32(frames), timeS)
    guard status == Wearable.ok || status == Wearable.late else {
      throw WearableError.status(modality, status)
    }
    return try decide()
  }

  /// A radio packet of samples [channels][frames] with a counter instead of a time: that of its first frame.
  func pushCounted(_ modality: String, _ samples: [Float], frames: Int, firstIndex: UInt32) throws -> Decision? {
    let number = mmq_device_modality(modality)
    if number < 0 { return nil }
    let status = mmq_device_push_counted(bridge, number, samples, Int64(samples.count), Int32(frames), firstIndex)
    guard status == Wearable.ok || status == Wearable.late else {
      throw WearableError.status(modality, status)
    }
    return try decide()
  }

  /// It is `timeS` now and nothing older will come: call it a few times a second, in case all sensors are silent.
  func advance(to timeS: Double) throws -> Decision? {
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

  /// The decision of the newest token, where one is due; what several tokens closed at once is decided once.
  private func decide() throws -> Decision? {
    let closed = mmq_device_closed(bridge)
    if closed / rules.every_tokens == decided / rules.every_tokens { return nil }
    decided = closed
    let timeS = Double(closed) * Double(mmq_device_token_s())
    let status = mmq_device_window(
      bridge, &features, Int64(features.count), &presence, Int64(presence.count))
    if status != Wearable.ok {
      let reason = status == Wearable.enrolling ? "enrolling" : "filling the first window"
      return Decision(timeS: timeS, probabilities: [:], reason: reason)
    }
    let share = Double(presence.reduce(0, +)) / Double(presence.count)
    if share == 0 || share < rules.min_present_share {
      return Decision(
        timeS: timeS, probabilities: [:], reason: "too little present", notEnrolled: try notEnrolled())
    }
    for (buffer, name) in zip(inputs, inputNames) { try buffer.write(name == "features" ? features : presence) }
    try model.run(inputs: inputs, outputs: outputs)
    var probabilities: [String: [String: Float]] = [:]
    for (buffer, task) in zip(outputs, outputNames) {
      probabilities[task] = try softmax(task, buffer.read())
    }
    let doubt = probabilities.first { task, values in
      Double(values.values.max() ?? 0) < rules.min_confidence[task] ?? 0
    }
    let reason = doubt.map { "confidence under threshold (\($0.key))" }
    return shown(Decision(
      timeS: timeS, probabilities: probabilities, reason: reason, notEnrolled: try notEnrolled()))
  }

  /// A decision with what a display shows of it: the rule of mmq_bridge/decision/display.py.
  private func shown(_ made: Decision) -> Decision {
    averaged.removeAll { made.timeS - $0.timeS >= displayS - 1e-6 }
    averaged.append(made)
    var said = made
    for (task, values) in made.probabilities {
      var means: [String: Float] = [:]
      for name in values.keys {
        let sum = averaged.reduce(0.0) { $0 + Double($1.probabilities[task]?[name] ?? 0) }
        means[name] = Float(sum / Double(averaged.count))
      }
      said.shownProbabilities[task] = means
      let names = rules.tasks[task] ?? []
      let best = names.max { (means[$0] ?? 0) < (means[$1] ?? 0) }
      if let best, Double(means[best] ?? 0) >= rules.min_confidence[task] ?? 0 { said.shown[task] = best }
    }
    return said
  }

  /// The sensors of the window that were normalised by the population.
  private func notEnrolled() throws -> [String] {
    let status = mmq_device_not_enrolled(
      bridge, presence, Int64(presence.count), &named, Int64(named.count))
    guard status == Wearable.ok else { throw WearableError.status("enrolment", status) }
    return named.indices.filter { named[$0] > 0 }.map { String(cString: mmq_device_name(Int32($0))) }
  }

  private func softmax(_ task: String, _ logits: [Float]) -> [String: Float] {
    let temperature = rules.temperature[task] ?? 1
    let scaled = logits.map { exp(Double($0 - (logits.max() ?? 0)) / temperature) }
    let values = scaled.map { Float($0 / scaled.reduce(0, +)) }
    return Dictionary(uniqueKeysWithValues: zip(rules.tasks[task] ?? [], values))
  }

  private static func find(_ name: String, _ bundle: Bundle) throws -> URL {
    guard let found = bundle.url(forResource: name, withExtension: nil) else { throw WearableError.missing(name) }
    return found
  }
}
