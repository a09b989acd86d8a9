// SPDX-License-Identifier: Apache-2.0
// display.js: what is shown of decisions: the average of the last seconds, the rule of mmq_bridge/decision/display.py.
import { doubt } from "./device.js";

export const DISPLAY_S = 30;
const ROUNDING_S = 1e-6;

/** Averages decisions as they are made; those of one device, one after the other. */
export class DisplayFilter {
  #displayS;
  #kept = [];

  constructor(displayS = DISPLAY_S) {
    this.#displayS = displayS;
  }

  /** The average probabilities {task: {class: p}} with this decision; {} where it has none: it is not averaged. */
  add(timeS, probabilities) {
    if (!Object.keys(probabilities).length) return {};
    this.#kept = this.#kept.filter((one) => timeS - one.timeS < this.#displayS - ROUNDING_S);
    this.#kept.push({ timeS, probabilities });
    const mean = (task, name) =>
      this.#kept.reduce((sum, one) => sum + one.probabilities[task][name], 0) / this.#kept.length;
    return Object.fromEntries(
      Object.entries(probabilities).map(([task, values]) => [
        task,
        Object.fromEntries(Object.keys(values).map((name) => [name, mean(task, name)])),
      ]),
    );
  }

  /** A decision as it is shown: with average probabilities, and abstaining where those are under a threshold. */
  show(decision, thresholds) {
    const probabilities = this.add(decision.time_s, decision.probabilities);
    if (!Object.keys(probabilities).length) return decision;
    const reason = doubt(probabilities, thresholds);
    return { ...decision, probabilities, abstained: reason !== null, reason };
  }
}
