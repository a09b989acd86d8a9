// not run here: needs Xcode 15 and the Swift package LiteRT (github.com/google-ai-edge/LiteRT, branch release/2.3.0)
// SPDX-License-Identifier: Apache-2.0
//
// The network on the phone's accelerator: Wearable.open(model: { try LiteRTModel() }). Build with -DMMQ_WITH_LITERT and
// without mmq_network.c, and add manifest.json and model_int8_float_io.tflite to the app's target. Decisions may then
// differ from those of the C network by some int8 steps of the logits.
import CryptoKit
import Foundation
import LiteRT

public enum LiteRTModelError: Error {
  case missing(String)
  case changed(String)
}

public final class LiteRTModel: WindowModel {
  private struct Manifest: Decodable {
    struct File: Decodable { let sha256: String }
    let files: [String: File]
  }

  private let model: CompiledModel
  private let inputs: [TensorBuffer]
  private let outputs: [TensorBuffer]
  private let inputNames: [String]
  private let outputNames: [String]
  private let tasks = (0..<mmq_device_tasks()).map { String(cString: mmq_device_task($0)) }

  public init(bundle: Bundle = .main) throws {
    let manifest = try JSONDecoder().decode(
      Manifest.self, from: Data(contentsOf: LiteRTModel.find("manifest.json", bundle)))
    let name = "model_int8_float_io.tflite"
    let file = try LiteRTModel.find(name, bundle)
    let digest = SHA256.hash(data: try Data(contentsOf: file)).map { String(format: "%02x", $0) }.joined()
    guard digest == manifest.files[name]?.sha256 else { throw LiteRTModelError.changed(name) }
    let options = try Options()
    try options.setHardwareAccelerators([.cpu])  // here name the accelerator
    model = try CompiledModel(filePath: file.path, environment: Environment(), options: options)
    inputs = try model.createInputBuffers()
    outputs = try model.createOutputBuffers()
    inputNames = try inputs.indices.map { try model.inputName(inputIndex: $0) }
    outputNames = try outputs.indices.map { try model.outputName(outputIndex: $0) }
  }

  public func logits(_ features: [Float], _ presence: [Float]) throws -> [Float] {
    for (buffer, name) in zip(inputs, inputNames) { try buffer.write(name == "features" ? features : presence) }
    try model.run(inputs: inputs, outputs: outputs)
    return try tasks.flatMap { task -> [Float] in
      guard let place = outputNames.firstIndex(of: task) else { throw LiteRTModelError.missing(task) }
      return try outputs[place].read()
    }
  }

  private static func find(_ name: String, _ bundle: Bundle) throws -> URL {
    guard let found = bundle.url(forResource: name, withExtension: nil) else { throw LiteRTModelError.missing(name) }
    return found
  }
}
