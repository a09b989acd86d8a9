// SPDX-License-Identifier: Apache-2.0
// node.js: the same for Node.js, where a bundle may also be a folder's path.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { Device as WebDevice } from "./device.js";
import { BundleError } from "./errors.js";
import { belowAddress, fetched, readerOf } from "./reading.js";

export { decisionLine } from "./device.js";
export { BundleError, InputError, MarkError, MMQError, StateError } from "./errors.js";
export { decode, encode } from "./gatt.js";
export { GATT_PROFILE } from "./gatt_profile.js";

const CORE = new URL("../core.wasm", import.meta.url);

export class Device extends WebDevice {
  static async openBundle(source, { core } = {}) {
    return super.openBundle(readerOf(source, read, below), { core: core ?? new WebAssembly.Module(await readFile(CORE)) });
  }
}

const isWeb = (place) => /^https?:/.test(`${place}`);
const pathOf = (place) => (`${place}`.startsWith("file:") ? fileURLToPath(place) : `${place}`);
const below = (folder) => (isWeb(folder) ? belowAddress(folder) : (name) => join(pathOf(folder), name));

async function read(place, name) {
  if (isWeb(place)) return fetched(place, name);
  const path = pathOf(place);
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw new BundleError("unread", { name: path, code: error.code });
  }
}
