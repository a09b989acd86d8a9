// SPDX-License-Identifier: Apache-2.0
// run.mjs: replay every vector of a module in node, from NAME.bin in the working folder. Usage: node run.mjs MODULE.wasm
import { readFileSync } from "node:fs";

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const imports = WebAssembly.Module.imports(module);
if (imports.length) {
  console.log(`expected a module without imports, got ${imports.map((i) => i.name).join(", ")}`);
  process.exit(1);
}
const core = new WebAssembly.Instance(module).exports;
core._initialize?.();

const text = (address) => {
  const bytes = new Uint8Array(core.memory.buffer, address);
  return Buffer.from(bytes.subarray(0, bytes.indexOf(0))).toString("latin1");
};

let failed = false;
for (let i = 0; i < core.vector_count(); i++) {
  const script = readFileSync(`${text(core.vector_name(i))}.bin`);
  const room = core.script_room(script.length);
  if (room) new Uint8Array(core.memory.buffer, room, script.length).set(script);
  const line = room ? text(core.replay_vector(i)) : `${text(core.vector_name(i))}: its script is too long`;
  failed ||= !line.includes(" int8=");
  console.log(line);
}
process.exit(failed ? 1 : 0);
