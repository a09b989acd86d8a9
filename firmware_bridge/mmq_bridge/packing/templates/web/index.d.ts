// SPDX-License-Identifier: Apache-2.0
import type { Device, Files, LoadOptions } from "./mmq-bridge.js";

export * from "./mmq-bridge.js";

/** Addresses of the model's files: for `Device.openBundle(files)`, which several devices may share. */
export const files: Files;

/** Make a device of the model in this package. Throws a BundleError. */
export function load(options?: LoadOptions): Promise<Device>;
