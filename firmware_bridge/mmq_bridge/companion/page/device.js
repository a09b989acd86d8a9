// SPDX-License-Identifier: Apache-2.0
// device.js: raw samples in, decisions out: the core's decision around its network, and in words.
import { Bridge } from "./core.js";
import { ABSTAIN } from "./decision.js";
import { checkFits, Network } from "./network.js";

/** What is shown of decisions is the average of so many seconds. */
export const DISPLAY_S = 30;

/**
 * Front end, network and decision rules of one bundle. `core` is core.wasm compiled; `load` makes the network, in the
 * memory it is given.
 */
export class Device {
  #bundle;
  #bridge;
  #network;

  constructor(bundle, core, displayS = DISPLAY_S, load = (memory) => new Network(memory, bundle.plan)) {
    this.#bundle = bundle;
    this.#bridge = new Bridge(core, bundle.spec);
    this.#network = load(this.#bridge.memory);
    checkFits(this.#network, bundle);
    this.#bridge.beginToDecide(bundle.manifest.decision, this.#network.outputs, displayS);
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

  /** The decision that is due at the end of a token, and as it is shown. Decisions are made one after the other. */
  decide({ due }) {
    return this.#withShown(due.window ? this.#finish(due, due.window) : due);
  }

  #finish(due, window) {
    return this.#bridge.decide(due, this.#network.run(window));
  }

  #withShown(made) {
    return { ...this.#told(made), shown: this.#told(this.#bridge.show(made)) };
  }

  /** A decision of the core with names and sentences. */
  #told(said) {
    const reason = said.abstention === ABSTAIN.decided ? null : this.#reason(said);
    const absent = this.names.map((name, m) => [name, this.#bridge.reasonNames(said.reasons[m])]);
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
  #without(due, hidden) {
    const { features: width, modalities } = this.#bundle,
      { first, last } = modalities[hidden],
      features = due.window.features.slice(),
      presence = due.window.presence.slice(),
      nothing = (name) => this.#network.inputs.get(name).zeroPoint;
    for (let row = 0; row < due.tokens; row++) {
      features.fill(nothing("features"), row * width + first, row * width + last);
      presence[row * modalities.length + hidden] = nothing("presence");
    }
    return this.#probabilities(this.#finish(due, { features, presence }));
  }

  /**
   * What a token's decision rested on, by occlusion: by task and sensor, how much less likely the likeliest class is
   * with that sensor hidden from the network; null where it was absent throughout, or is the only one. (The
   * network gives logits only, no attention. A missing sensor is an ordinary input of it, so hiding one is a
   * fair question.)
   */
  restedOn({ due }, { probabilities }) {
    if (!Object.keys(probabilities).length) return {};
    const here = this.names.map((_, m) => due.present[m] > 0);
    const alone = here.filter(Boolean).length < 2;
    const rested = Object.fromEntries(Object.keys(probabilities).map((task) => [task, {}]));
    for (const [m, name] of this.names.entries()) {
      const without = here[m] && !alone ? this.#without(due, m) : null;
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
