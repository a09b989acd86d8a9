// SPDX-License-Identifier: Apache-2.0
// index.js: what the package gives a page or a worker.
export { decisionLine, Device } from "./device.js";
export { BundleError, InputError, MarkError, MMQError, StateError } from "./errors.js";
export { decode, encode } from "./gatt.js";
export { GATT_PROFILE } from "./gatt_profile.js";
