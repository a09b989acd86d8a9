// SPDX-License-Identifier: Apache-2.0
// device.js: raw samples in, decisions out: the core's decision around a model, and in words.
import { Bridge, reasonNames } from "./core.js";
import { ABSTAIN } from "./decision.js";

/** What is shown of decisions is the average of so many seconds. */
export const DISPLAY_S = 30;

/** Front end, model and decision rules of one bundle. `core` is core.wasm compiled, `model` a Model. */
export class Device {
  #bundle;
  #bridge;
  #model;

  constructor(bundle, core, model, displayS = DISPLAY_S) {
    this.#bundle = bundle;
    this.#bridge = new Bridge(core, bundle.spec);
    this.#bridge.beginToDecide(bundle.manifest.decision, displayS);
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

  /** How far the enrolment is; null when it is over. */
  get enrolment() {
    const left = this.#bridge.enrolmentLeft;
    return left > 0 ? this.#enrolment(left) : null;
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

  /** The tokens that closed; one at whose end a decision is due has it, with its window: `decide` makes it. */
  #closed() {
    const dues = new Map();
    for (let due = this.#bridge.due(); due; due = this.#bridge.due()) {
      const window = due.abstention === ABSTAIN.decided ? this.#bridge.windowOf(due) : null;
      dues.set(due.number, { ...due, window });
    }
    const tokens = [];
    for (let token = this.#bridge.pop(); token; token = this.#bridge.pop())
      tokens.push({ ...token, due: dues.get(token.number) ?? null });
    return tokens;
  }

  /**
   * The decision that is due at the end of a token, and as it is shown, with its logits and, by task and sensor, what
   * hiding the sensor changes. Decisions are made one after the other.
   */
  async decide({ due }) {
    if (!due.window) return this.#withShown(due);
    const logits = await this.#model.predict(due.window.features.slice(), due.window.presence.slice());
    const made = this.#finish(due, logits);
    const said = this.#withShown(made);
    const rested = made.probability.length ? await this.#rested(due, said.probabilities) : undefined;
    return { ...said, logits, rested, shown: { ...said.shown, logits, rested } };
  }

  #finish(due, logits) {
    const tasks = Object.keys(this.#bundle.manifest.decision.tasks);
    return this.#bridge.decide(due, Float32Array.from(tasks.flatMap((task) => [...logits[task]])));
  }

  #withShown(made) {
    return { ...this.#told(made), shown: this.#told(this.#bridge.show(made)) };
  }

  /** A decision of the core with names and sentences. */
  #told(said) {
    const reason = said.abstention === ABSTAIN.decided ? null : this.#reason(said);
    const absent = this.names.map((name, m) => [name, reasonNames(said.reasons[m])]);
    return {
      time_s: (said.number + 1) * this.tokenS,
      probabilities: this.#probabilities(said),
      sensors: Object.fromEntries(this.names.map((name, m) => [name, said.present[m] / said.tokens])),
      abstained: reason !== null,
      reason,
      absent: Object.fromEntries(absent.filter(([, why]) => why.length)),
      not_enrolled: this.names.filter((_, m) => (said.notEnrolled >> m) & 1),
    };
  }

  #probabilities({ probability }) {
    if (!probability.length) return {};
    let at = 0;
    const tasks = Object.entries(this.#bundle.manifest.decision.tasks);
    return Object.fromEntries(
      tasks.map(([task, classes]) => [
        task,
        Object.fromEntries(classes.map((name) => [name, probability[at++]])),
      ]),
    );
  }

  #reason(said) {
    const why = this.#bridge.abstentionName(said.abstention),
      details = this.#details(said);
    return details ? `${why} (${details})` : why;
  }

  /** By what the core counts: present tokens, or time. */
  #enrolment(left) {
    const { enrolmentTokens, countsEvidence } = this.#bundle;
    if (!countsEvidence) return `${short(left * this.tokenS)} s left`;
    return `${enrolmentTokens - left} of ${enrolmentTokens} tokens measured`;
  }

  #details({ abstention, tokens, tokensLeft: left, present, unsureTask, confidence }) {
    const { tasks, min_confidence: least = {}, min_present_share: needed } = this.#bundle.manifest.decision;
    if (abstention === ABSTAIN.enrolling) return this.#enrolment(left);
    if (abstention === ABSTAIN.filling) return `${short(left * this.tokenS)} s left`;
    if (abstention === ABSTAIN.absent) {
      const share = present.reduce((sum, count) => sum + count, 0) / (tokens * this.names.length);
      return `${percent(share)} of ${percent(needed)} needed`;
    }
    if (abstention === ABSTAIN.unsure) {
      const task = Object.keys(tasks)[unsureTask];
      return `${task} ${confidence[unsureTask].toFixed(2)} < ${(least[task] ?? 0).toFixed(2)}`;
    }
    return "";
  }

  /** The probabilities of a window with the sensor number `hidden` taken out of it. */
  async #without(due, hidden) {
    const { features: width, modalities } = this.#bundle,
      { first, last } = modalities[hidden],
      features = due.window.features.slice(),
      presence = due.window.presence.slice();
    for (let row = 0; row < due.tokens; row++) {
      features.fill(0, row * width + first, row * width + last);
      presence[row * modalities.length + hidden] = 0;
    }
    return this.#probabilities(this.#finish(due, await this.#model.predict(features, presence)));
  }

  /**
   * What the decision rested on, by occlusion: by task and sensor, how much less likely the likeliest class is
   * with that sensor hidden from the model; null where it was absent throughout, or is the only one. (The
   * deployed graph gives logits only, no attention. A missing sensor is an ordinary input of this model, so
   * hiding one is a fair question.)
   */
  async #rested(due, probabilities) {
    const here = this.names.map((_, m) => due.present[m] > 0);
    const alone = here.filter(Boolean).length < 2;
    const rested = Object.fromEntries(Object.keys(probabilities).map((task) => [task, {}]));
    for (const [m, name] of this.names.entries()) {
      const without = here[m] && !alone ? await this.#without(due, m) : null;
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

/** Six significant digits at most, as Python's :g. */
const short = (value) => String(Number(value.toPrecision(6)));

/** Whole percent, halves to the even number, as Python's :.0%. */
export function percent(share) {
  const value = share * 100,
    floor = Math.floor(value);
  const up = value - floor > 0.5 || (value - floor === 0.5 && floor % 2 === 1);
  return `${up ? floor + 1 : floor}%`;
}
