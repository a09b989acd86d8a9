// SPDX-License-Identifier: Apache-2.0
// network.js: mmq_network.bin of a bundle, run by the C core: the bits of a microcontroller.
import { BundleError } from "./errors.js";
import { fieldNumber } from "./spec.js";

export const NETWORK_FILE = "mmq_network.bin";

export class Network {
  #memory;
  #network;
  #arena;
  #arenaBytes;

  /**
   * Load a plan.
   * @param memory  a Memory
   * @param plan  the file's bytes; the core checks each
   */
  constructor(memory, plan) {
    const { core } = memory,
      address = memory.place(plan),
      bytes = core.mmq_plan_size(address, plan.length),
      handle = memory.reserve(4),
      status = core.mmq_plan_load(address, plan.length, memory.reserve(bytes), bytes, handle);
    memory.check(status, NETWORK_FILE, BundleError);
    this.#memory = memory;
    this.#network = memory.word(handle);
    this.inputs = this.#ports(core.network_input);
    this.outputs = this.#ports(core.network_output);
    this.#arenaBytes = core.network_arena_bytes(this.#network);
    this.#arena = memory.reserve(this.#arenaBytes);
  }

  /** Int8Array features and presence of a window to the logits of all outputs, one after the other. */
  run(window) {
    const { buffer, core } = this.#memory;
    for (const [name, { at, count }] of this.inputs)
      new Int8Array(buffer, this.#arena + at, count).set(window[name]);
    const status = core.mmq_network_run(this.#network, this.#arena, this.#arenaBytes);
    this.#memory.check(status, NETWORK_FILE, BundleError);
    return Int8Array.from(
      [...this.outputs.values()].flatMap(({ at, count }) => [...new Int8Array(buffer, this.#arena + at, count)]),
    );
  }

  /** {at, count, scale, zeroPoint} by name, of mmq_tensor_t. */
  #ports(numbered) {
    const ports = new Map();
    for (let index = 0, address; (address = numbered(this.#network, index)); index++) {
      const view = new DataView(this.#memory.buffer, address, 20);
      const [name, at, count] = [0, 4, 8].map((place) => view.getUint32(place, true));
      const scale = view.getFloat32(12, true),
        zeroPoint = view.getInt32(16, true);
      ports.set(this.#memory.text(name), { at, count, scale, zeroPoint });
    }
    return ports;
  }
}

/** Throw unless a network takes a bundle's windows and says what its manifest names. */
export function checkFits({ inputs, outputs }, { tokens, features, modalities, manifest, spec }) {
  const given = JSON.stringify([...inputs, ...outputs].map(([name, { count }]) => [name, count]));
  const wanted = JSON.stringify([
    ["features", tokens * features],
    ["presence", tokens * modalities.length],
    ...Object.entries(manifest.decision.tasks).map(([task, classes]) => [task, classes.length]),
  ]);
  if (given !== wanted)
    throw new BundleError("otherNetwork", { name: NETWORK_FILE, wanted, got: given });
  const { scale, zeroPoint } = inputs.get("features"),
    [quantised, itsScale, itsZero] = ["quantised", "scale", "zero_point"].map((name) => fieldNumber(spec.fields, name));
  if (!quantised || itsZero !== zeroPoint || Math.abs(itsScale / scale - 1) > 1e-6)
    throw new BundleError("otherSpec", { name: NETWORK_FILE });
}
