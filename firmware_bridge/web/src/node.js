// SPDX-License-Identifier: Apache-2.0
// node.js: the same for Node.js, where a bundle may also be a folder's path.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { Device as WebDevice } from "./device.js";
import { BundleError } from "./errors.js";

export { decisionLine } from "./device.js";
export { BundleError, InputError, MarkError, MMQError, StateError } from "./errors.js";
export { decode, encode } from "./gatt.js";
export { GATT_PROFILE } from "./gatt_profile.js";

const CORE = new URL("../core.wasm", import.meta.url);

export class Device extends WebDevice {
  static async openBundle(source, { core } = {}) {
    return super.openBundle(readerOf(source), { core: core ?? new WebAssembly.Module(await readFile(CORE)) });
  }
}

function readerOf(source) {
  if (typeof source === "function" || /^https?:/.test(`${source}`)) return source;
  const folder = `${source}`.startsWith("file:") ? fileURLToPath(source) : `${source}`;
  return async (name, limit) => {
    let bytes;
    try {
      bytes = await readFile(join(folder, name));
    } catch (error) {
      throw new BundleError(`${join(folder, name)}: cannot be read (${error.code}); export the bundle again.`);
    }
    if (bytes.length > limit)
      throw new BundleError(`${name}: expected at most ${limit} bytes; this is no bundle file.`);
    return new Uint8Array(bytes);
  };
}
