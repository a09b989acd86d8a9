// SPDX-License-Identifier: Apache-2.0
// wear.mjs: one session through the package: by Node.js, a page or a worker.

/**
 * Push `steps` [{nowS, chunks: [{name, samples (hex), timeS}]}], marking by the way `marks` [{atS, label, startS, stopS}];
 * the lines of what was decided meanwhile, and what was taught.
 */
export async function wear({ decisionLine, Device }, bundle, { steps, displayS, simulated, marks = [], startedUnixS }) {
  const device = await Device.load(bundle, { displayS });
  const marked = [];
  const lines = [];
  const listening = (async () => {
    for await (const decision of device.decisions()) lines.push(decisionLine(decision, simulated, startedUnixS));
  })();
  for (const { nowS, chunks } of steps) {
    for (const { name, samples, timeS } of chunks) device.push(name, floats(samples), timeS);
    device.advance(nowS - device.graceS);
    for (const { label, startS, stopS } of marks.filter(({ atS }) => atS === nowS)) {
      const used = device.mark(label, startS, stopS);
      marked.push([used, device.personal.asks?.kind ?? null, device.personal.adapted]);
    }
    await null; // the listener's turn
  }
  device.end();
  await listening;
  const state = device.saveState(),
    again = await Device.load(bundle);
  again.loadState(state);
  if (hex(again.saveState()) !== hex(state)) throw new Error("a state changed on its way");
  return { lines, state: hex(state), late: device.latePushes, marked };
}

const floats = (text) => new Float32Array(Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16)).buffer);

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

if (globalThis.WorkerGlobalScope) {
  globalThis.onmessage = async ({ data }) => {
    const answer = await wear(await import("/src/index.js"), "/bundle/", data).catch((error) => ({ failed: error.message }));
    globalThis.postMessage(answer);
  };
}
