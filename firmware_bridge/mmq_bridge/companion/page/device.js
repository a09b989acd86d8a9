// SPDX-License-Identifier: Apache-2.0
// device.js: raw samples in, decisions out: the rules of mmq_bridge/decision/device.py, word for word.
import { Bridge, reasonNames } from "./core.js";

/** Front end, model and decision rules of one bundle. `core` is core.wasm compiled, `model` a Model. */
export class Device {
  #bundle;
  #bridge;
  #model;
  #window = [];

  constructor(bundle, core, model) {
    this.#bundle = bundle;
    this.#bridge = new Bridge(core, bundle.spec);
    this.#model = model;
    this.names = bundle.modalities.map(({ name }) => name);
    this.tokenS = bundle.frontEnd.token_s;
    this.graceS = bundle.frontEnd.grace_s;
  }

  get coreBytes() {
    return this.#bridge.bytes;
  }

  /** What the wearer taught, as bytes. */
  save() {
    return this.#bridge.save();
  }

  /** Take over what was saved, before the first sample: enrolment goes on where it stopped. */
  load(state) {
    this.#bridge.load(state);
  }

  /** Seconds the enrolment still lasts. */
  get enrolmentLeftS() {
    return this.#bridge.enrolmentLeft * this.tokenS;
  }

  /** Take samples [channels][frames] of one modality; one the front end lacks is ignored. As `#closed`. */
  push(name, samples, timeS) {
    const index = this.names.indexOf(name);
    if (index < 0) return [];
    this.#bridge.push(index, samples, samples.length / this.#bundle.modalities[index].channels, timeS);
    return this.#closed();
  }

  /** Say that it is timeS now and nothing older will come. As `#closed`. */
  advance(timeS) {
    this.#bridge.advance(timeS);
    return this.#closed();
  }

  /** The tokens that closed, each with the window it ends; `decide` makes a decision of one whose turn it is. */
  #closed() {
    const tokens = [];
    for (let token = this.#bridge.pop(); token; token = this.#bridge.pop()) {
      this.#window = [...this.#window, token].slice(-this.#bundle.tokens);
      const isTurn = (token.number + 1) % this.#bundle.manifest.decision.every_tokens === 0;
      tokens.push({ ...token, window: this.#window, isTurn });
    }
    return tokens;
  }

  /** The decision at the end of a token, with its logits and, by task and sensor, what hiding the sensor changes. */
  async decide({ number, window, presence, reasons, enrolment }) {
    const { decision } = this.#bundle.manifest;
    const seen = number + 1;
    const sensors = Object.fromEntries(
      this.names.map((name, m) => [
        name,
        window.reduce((sum, token) => sum + token.presence[m], 0) / window.length,
      ]),
    );
    const absent = Object.fromEntries(
      this.names
        .flatMap((name, m) => (presence[m] ? [] : [[name, reasonNames(reasons[m])]]))
        .filter(([, why]) => why.length),
    );
    const said = {
      time_s: seen * this.tokenS,
      probabilities: {},
      sensors,
      abstained: true,
      reason: null,
      absent,
      not_enrolled: [],
    };
    const waiting = this.#waiting(enrolment, seen);
    if (waiting) return { ...said, reason: waiting };
    said.not_enrolled = this.#notEnrolled(enrolment, window);
    const shares = window.reduce((sum, token) => sum + token.presence.reduce((a, b) => a + b, 0), 0);
    const share = shares / (window.length * this.names.length);
    if (share < decision.min_present_share || shares === 0) {
      const needed = percent(decision.min_present_share);
      return { ...said, reason: `too little present (${percent(share)} of ${needed} needed)` };
    }
    const { logits, probabilities } = await this.#run(window);
    const reason = doubt(probabilities, decision.min_confidence);
    const rested = await this.#rested(window, probabilities);
    return { ...said, probabilities, abstained: reason !== null, reason, logits, rested };
  }

  #waiting({ left, end }, seen) {
    const { enrolmentTokens, countsEvidence, tokens } = this.#bundle;
    if (left > 0 && countsEvidence)
      return `enrolling (${enrolmentTokens - left} of ${enrolmentTokens} tokens measured)`;
    if (left > 0) return `enrolling (${short(left * this.tokenS)} s left)`;
    const toFill = (end ?? 0) + tokens - seen;
    return toFill > 0 ? `filling the first window (${short(toFill * this.tokenS)} s left)` : null;
  }

  /** The modalities of which a token of the window was normalised by the population. */
  #notEnrolled({ measured }, window) {
    const { countsEvidence, enrolmentLeast } = this.#bundle;
    return this.names.filter((_, m) => {
      const seen = window.reduce((sum, token) => sum + token.presence[m], 0);
      return countsEvidence && seen && measured[m] - seen + 1 < enrolmentLeast;
    });
  }

  /** Run the model on a window, with the sensor number `hidden` taken out where one is named. */
  async #run(window, hidden = -1) {
    const { features: width, modalities, manifest } = this.#bundle;
    const features = new Float32Array(window.length * width);
    const presence = new Float32Array(window.length * modalities.length);
    window.forEach((token, row) => {
      features.set(token.features, row * width);
      presence.set(token.presence, row * modalities.length);
      if (hidden < 0) return;
      const { first, last } = modalities[hidden];
      features.fill(0, row * width + first, row * width + last);
      presence[row * modalities.length + hidden] = 0;
    });
    const logits = await this.#model.predict(features, presence);
    const probabilities = {};
    for (const [task, classes] of Object.entries(manifest.decision.tasks)) {
      const values = softmax(logits[task], manifest.decision.temperature?.[task] ?? 1);
      probabilities[task] = Object.fromEntries(classes.map((name, k) => [name, values[k]]));
    }
    return { logits, probabilities };
  }

  /**
   * What the decision rested on, by occlusion: by task and sensor, how much less likely the likeliest class is
   * with that sensor hidden from the model; null where it was absent throughout, or is the only one. (The
   * deployed graph gives logits only, no attention. A missing sensor is an ordinary input of this model, so
   * hiding one is a fair question.)
   */
  async #rested(window, probabilities) {
    const here = this.names.map((_, m) => window.some((token) => token.presence[m]));
    const alone = here.filter(Boolean).length < 2;
    const rested = Object.fromEntries(Object.keys(probabilities).map((task) => [task, {}]));
    for (const [m, name] of this.names.entries()) {
      const without = here[m] && !alone ? (await this.#run(window, m)).probabilities : null;
      for (const [task, values] of Object.entries(probabilities)) {
        const best = likeliest(values);
        rested[task][name] = without ? values[best] - without[task][best] : null;
      }
    }
    return rested;
  }
}

/** The likeliest class of {class: probability}; the first of equals. */
export function likeliest(values) {
  return Object.keys(values).reduce((best, name) => (values[name] > values[best] ? name : best));
}

/** Why probabilities are not to be acted on: the first task under its threshold; null where there is none. */
export function doubt(probabilities, thresholds = {}) {
  for (const [task, values] of Object.entries(probabilities)) {
    const best = values[likeliest(values)],
      needed = thresholds[task] ?? 0;
    if (best < needed)
      return `confidence under threshold (${task} ${best.toFixed(2)} < ${needed.toFixed(2)})`;
  }
  return null;
}

function softmax(logits, temperature) {
  const scaled = Array.from(logits, (value) => value / temperature);
  const high = Math.max(...scaled);
  const shifted = scaled.map((value) => Math.exp(value - high));
  const sum = shifted.reduce((a, b) => a + b, 0);
  return shifted.map((value) => value / sum);
}

/** Six significant digits at most, as Python's :g. */
const short = (value) => String(Number(value.toPrecision(6)));

/** Whole percent, halves to the even number, as Python's :.0%. */
export function percent(share) {
  const value = share * 100,
    floor = Math.floor(value);
  const up = value - floor > 0.5 || (value - floor === 0.5 && floor % 2 === 1);
  return `${up ? floor + 1 : floor}%`;
}
