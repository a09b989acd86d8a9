// SPDX-License-Identifier: Apache-2.0
// model.js: model_int8_float_io.tflite in LiteRT, served from this address.
import { loadAndCompile, loadLiteRt, Tensor } from "@litertjs/core";

import { Problem } from "./problem.js";

let runtime;

/** The compiled model of a bundle; one window in, logits a task out. */
export class Model {
  #model;
  #shapes;

  /**
   * Compile a model and check that it fits.
   * @param bytes  the .tflite
   * @param shapes  {features: [1, T, F], presence: [1, T, M]}
   * @param tasks  {task: classes}
   */
  static async load(bytes, shapes, tasks) {
    runtime ??= loadLiteRt(new URL("/litert/core/wasm/", location.href).href);
    try {
      await runtime;
    } catch (error) {
      throw new Problem(
        `LiteRT cannot start in this browser (${error?.message ?? error}); update the browser.`,
      );
    }
    let model;
    try {
      model = await loadAndCompile(bytes, { accelerator: "wasm" });
    } catch (error) {
      throw new Problem(
        `model_int8_float_io.tflite: LiteRT refuses it (${error?.message ?? error}); export again.`,
      );
    }
    checkFits(model, shapes, tasks);
    return new Model(model, shapes);
  }

  constructor(model, shapes) {
    this.#model = model;
    this.#shapes = shapes;
  }

  /** Float32Array features [T * F] and presence [T * M] to {task: Float32Array logits}. */
  async predict(features, presence) {
    const inputs = {
      features: new Tensor(features, this.#shapes.features),
      presence: new Tensor(presence, this.#shapes.presence),
    };
    const outputs = await this.#model.run(inputs);
    const logits = {};
    for (const [task, tensor] of Object.entries(outputs)) {
      logits[task] = tensor.toTypedArray().slice();
      tensor.delete();
    }
    for (const tensor of Object.values(inputs)) tensor.delete();
    return logits;
  }

  delete() {
    this.#model.delete();
  }
}

function checkFits(model, shapes, tasks) {
  const given = Object.fromEntries(
    [...model.getInputDetails(), ...model.getOutputDetails()].map(({ name, shape }) => [
      name,
      [...shape].join(" x "),
    ]),
  );
  const wanted = { ...shapes };
  for (const [task, classes] of Object.entries(tasks)) wanted[task] = [1, classes.length];
  for (const [name, shape] of Object.entries(wanted)) {
    if (given[name] !== shape.join(" x ")) {
      model.delete();
      throw new Problem(
        `model_int8_float_io.tflite: expected ${name} of shape ${shape.join(" x ")}, ` +
          `got ${given[name] ?? "none"}; export again.`,
      );
    }
  }
}
