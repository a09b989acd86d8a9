// SPDX-License-Identifier: Apache-2.0
// network_run.mjs: a line for each network of a module, in node. Usage: node network_run.mjs MODULE.wasm
import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const imports = WebAssembly.Module.imports(module);
if (imports.length) {
  console.log(`expected a module without imports, got ${imports.map((i) => i.name).join(", ")}`);
  process.exit(1);
}
const core = new WebAssembly.Instance(module).exports;
core._initialize?.();
for (let i = 0; i < core.network_count(); i++) {
  const bytes = new Uint8Array(core.memory.buffer, core.network_text(i));
  console.log(Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString("latin1"));
}
