// SPDX-License-Identifier: Apache-2.0
// node.js: the package for Node.js: `load` makes a device of the model in bundle/.
import { files } from "./files.js";
import { Device } from "./src/node.js";

export * from "./src/node.js";
export { files };

export const load = (options) => Device.load(files, options);
