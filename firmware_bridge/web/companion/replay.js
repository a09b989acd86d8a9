// SPDX-License-Identifier: Apache-2.0
// replay.js: a recording as if its sensors were worn now, step by step, as mmq_bridge/sources/replay.py.
import { stopOf } from "./e4.js";
import { Problem } from "./problem.js";

export const STEP_S = 1;

/** A recording as a source: its name, its length, and the steps {nowS, chunks: [{name, samples, frames, timeS}]}. */
export function recordingSource(name, { signals, startedUnixS }, bundle) {
  const used = bundle.modalities.filter((modality) => signals.has(modality.name));
  if (!used.length) {
    const wanted = bundle.modalities.map(({ name }) => name).join(", ");
    throw new Problem("otherSensors", { name, wanted, got: [...signals.keys()].join(", ") });
  }
  for (const modality of used) checkFits(modality, signals.get(modality.name));
  const chosen = used.map((modality) => [modality.name, signals.get(modality.name)]);
  const stopS = Math.max(...chosen.map(([, signal]) => stopOf(signal)));
  return {
    name,
    simulated: false,
    startedUnixS,
    durationS: stopS,
    sensors: chosen.map(([name]) => name),
    steps: () => steps(chosen, stopS),
  };
}

function* steps(signals, stopS) {
  for (let step = 0; step < Math.ceil(stopS / STEP_S); step++) {
    const chunks = [];
    for (const [name, signal] of signals) {
      const first = indexAt(signal, step * STEP_S),
        last = indexAt(signal, (step + 1) * STEP_S);
      if (first >= last) continue;
      const frames = last - first,
        samples = new Float32Array(frames * signal.samples.length);
      signal.samples.forEach((row, channel) => samples.set(row.subarray(first, last), channel * frames));
      chunks.push({ name, samples, frames, timeS: signal.startS + first / signal.rateHz });
    }
    yield { nowS: (step + 1) * STEP_S, chunks };
  }
}

/** First sample at or after a time, within the signal. */
function indexAt({ samples, rateHz, startS }, timeS) {
  return Math.min(Math.max(Math.ceil((timeS - startS) * rateHz - 1e-6), 0), samples[0].length);
}

function checkFits({ name, channels, rateHz }, signal) {
  if (
    signal.samples.length !== channels ||
    Math.abs(signal.rateHz - rateHz) > 1e-6 * Math.max(rateHz, signal.rateHz)
  ) {
    const got = { found: signal.samples.length, foundHz: signal.rateHz };
    throw new Problem("otherRate", { name, channels, rateHz, ...got });
  }
}
