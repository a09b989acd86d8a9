// SPDX-License-Identifier: Apache-2.0
// decision.js: mmq_rules_t and mmq_decision_t of the core (mmq_decision.h) as they lie in WebAssembly's memory.

export const TASK_WORDS = 5;
const MODALITIES = 16,
  TASKS = 16;

/** mmq_abstention_t. */
export const ABSTAIN = { decided: 0, enrolling: 1, filling: 2, absent: 3, unsure: 4, noNumbers: 5 };

/** The tasks of a manifest's decision as mmq_task_t, in its order; `outputs` says how a task's logits are scaled. */
export function tasksWords({ tasks, temperature = {}, min_confidence: least = {} }, outputs) {
  const names = Object.keys(tasks),
    view = new DataView(new ArrayBuffer(4 * TASK_WORDS * Math.max(names.length, 1)));
  names.forEach((task, t) => {
    const at = 4 * TASK_WORDS * t;
    const { scale, zeroPoint } = outputs.get(task);
    view.setUint32(at, tasks[task].length, true);
    view.setInt32(at + 4, zeroPoint, true);
    view.setFloat32(at + 8, scale, true);
    view.setFloat32(at + 12, temperature[task] ?? 1, true);
    view.setFloat32(at + 16, least[task] ?? 0, true);
  });
  return new Uint32Array(view.buffer);
}

/** A manifest's decision as mmq_rules_t, with the address of its tasks. */
export function rulesWords(decision, tasks) {
  const view = new DataView(new ArrayBuffer(16));
  view.setUint32(0, Object.keys(decision.tasks).length, true);
  view.setUint32(4, decision.every_tokens, true);
  view.setFloat32(8, decision.min_present_share, true);
  view.setUint32(12, tasks, true);
  return new Uint32Array(view.buffer);
}

/** A manifest's next_sensor as mmq_next_t, its gains placed in a memory. */
export function nextWords(rows, memory) {
  return Uint32Array.of(rows[0].length, memory.place(Uint8Array.from(rows.flat())));
}

/**
 * Read an mmq_decision_t. Its fields in the core's order; masks as numbers, `probability` only what there is of it.
 * `bytes` are the struct itself, to hand it back.
 */
export function readDecision(bytes) {
  const { buffer } = bytes,
    words = new Uint32Array(buffer, 16, 8);
  let at = 48;
  const next = (type, count) => {
    const values = new type(buffer, at, count);
    at += values.byteLength;
    return values;
  };
  return {
    bytes,
    number: Number(new BigInt64Array(buffer, 0, 1)[0]),
    abstention: words[0],
    tokens: words[1],
    tokensLeft: words[2],
    unsureTask: words[3],
    sure: words[4],
    notEnrolled: words[5],
    present: next(Uint16Array, MODALITIES),
    reasons: next(Uint16Array, MODALITIES),
    best: next(Uint16Array, TASKS),
    confidence: next(Float32Array, TASKS),
    probability: next(Float32Array, words[6]),
  };
}
