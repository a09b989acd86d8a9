// SPDX-License-Identifier: Apache-2.0
// index.js: the package for a page or a worker: `load` makes a device of the model in bundle/.
import { files } from "./files.js";
import { Device } from "./src/index.js";

export * from "./src/index.js";
export { files };

export const load = (options) => Device.load(files, options);
