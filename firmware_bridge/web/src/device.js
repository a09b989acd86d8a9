// SPDX-License-Identifier: Apache-2.0
// device.js: raw samples in, decisions out: the core's decision around its network, and in words.
import { openBundle } from "./bundle.js";
import { Bridge } from "./core.js";
import { ABSTAIN } from "./decision.js";
import { InputError, MarkError, StateError } from "./errors.js";
import { checkFits, Network } from "./network.js";
import { Head, Personal, splitState } from "./personal.js";
import { readerOf } from "./reading.js";

const MOST_WAITING = 17280; // decisions nobody took: a day of one every 5 s

/** Front end, network and decision rules of one bundle. */
export class Device {
  #bundle;
  #bridge;
  #network;
  #displayS;
  #personal = null;
  #waiting = [];
  #wakes = [];
  #ended = false;
  #newest = null;

  /** Open a bundle by its address, or by a function that reads its files, and make a device of it. */
  static async load(source, { core, ...options } = {}) {
    return new this(await this.openBundle(source, { core }), options);
  }

  /** Open a bundle, for several devices. */
  static openBundle(source, { core } = {}) {
    return openBundle(readerOf(source), core);
  }

  /** `network` makes what is run, in the memory it is given; by default it is the bundle's own. */
  constructor(bundle, { displayS = 0, network = (memory) => new Network(memory, bundle.plan) } = {}) {
    if (!(displayS >= 0 && displayS <= 3600))
      throw new InputError("displayS", { got: displayS });
    this.#bundle = bundle;
    this.#displayS = displayS;
    this.#bridge = new Bridge(bundle.core, bundle.spec);
    this.#network = network(this.#bridge.memory);
    checkFits(this.#network, bundle);
    this.#bridge.beginToDecide(bundle.manifest.decision, this.#network.outputs, displayS);
    if (bundle.head) this.#follow(this.#nothingMarked());
    this.names = bundle.modalities.map(({ name }) => name);
    this.tokenS = bundle.frontEnd.token_s;
    this.graceS = bundle.frontEnd.grace_s;
    this.latePushes = Object.fromEntries(this.names.map((name) => [name, 0]));
  }

  get bundle() {
    return this.#bundle;
  }

  /** Bytes of the core's memory: constant once it runs. */
  get coreBytes() {
    return this.#bridge.bytes;
  }

  /** What the wearer taught, as bytes: those of `mmq-bridge stream --state`. */
  saveState() {
    const parts = [this.#bridge.save(), this.#personal?.save() ?? new Uint8Array()],
      state = new Uint8Array(parts[0].length + parts[1].length);
    state.set(parts[0]);
    state.set(parts[1], parts[0].length);
    return state;
  }

  /** Take over what was saved, before the first sample: enrolment goes on where it stopped. */
  loadState(state) {
    const [mine, learned] = splitState(state);
    if (learned.length && !this.#personal)
      throw new StateError("stateHead");
    const personal = this.#personal && this.#nothingMarked();
    if (learned.length) personal.load(learned);
    this.#bridge.load(mine);
    if (personal) this.#follow(personal);
  }

  /** The wearer's own correction; null where the bundle has no personal head. See `Personal`. */
  get personal() {
    return this.#personal;
  }

  /**
   * Say that a stretch of the past was of one class; decisions are corrected by it from now on. Returns how many
   * windows of it are used.
   */
  mark(label, startS, stopS) {
    return this.#own().mark(label, startS, stopS);
  }

  /** Undo all marks: decisions are the model's own again. */
  forget() {
    this.#own().forget();
  }

  #own() {
    if (!this.#personal)
      throw new MarkError("noHead");
    return this.#personal;
  }

  #nothingMarked() {
    const { head, manifest, tokens, frontEnd } = this.#bundle;
    return new Personal(new Head(this.#bridge.memory, head), manifest.decision.tasks[head.task], tokens * frontEnd.token_s);
  }

  #follow(personal) {
    const { head, manifest } = this.#bundle;
    this.#bridge.follow(personal.head, Object.keys(manifest.decision.tasks).indexOf(head.task));
    this.#personal = personal;
  }

  /** How far the enrolment was at the end of the token `number`: by sensor the tokens measured, and those left. */
  enrolmentAt(number) {
    const { measured, left } = this.#bridge.enrolmentAt(number);
    return { measured: Object.fromEntries(this.names.map((name, m) => [name, measured[m]])), left };
  }

  /** How far the enrolment is: {tokens, left, words}; null when it is over. */
  get enrolment() {
    const left = this.#bridge.enrolmentLeft;
    return left > 0 ? { tokens: this.#bundle.enrolmentTokens, left, words: this.#enrolment(left) } : null;
  }

  /**
   * Take samples of one sensor; one the bundle has no use for is ignored. Returns the tokens that closed, each with its
   * decision where one was due.
   */
  push(name, samples, timeS) {
    return this.#push(name, samples, (index, values, frames) => this.#bridge.push(index, values, frames, timeS));
  }

  /** The same for a packet with a sample counter instead of a time; of firstIndex the last 32 bits count. */
  pushCounted(name, samples, firstIndex) {
    if (!Number.isSafeInteger(firstIndex))
      throw new InputError("counter", { name, got: firstIndex });
    return this.#push(name, samples, (...given) => this.#bridge.pushCounted(...given, firstIndex));
  }

  /** Say that it is timeS now and nothing older will come. Returns as `push`. */
  advance(timeS) {
    this.#bridge.advance(timeS);
    return this.#closed();
  }

  /** The decisions that wait, oldest first, without waiting for more. */
  take() {
    return this.#waiting.splice(0);
  }

  /** Every decision as it is made, until `end` is called. */
  async *decisions() {
    for (;;) {
      while (this.#waiting.length) yield this.#waiting.shift();
      if (this.#ended) return;
      await new Promise((wake) => this.#wakes.push(wake));
    }
  }

  /** No more samples will come: `decisions` ends with those that wait. */
  end() {
    this.#ended = true;
    this.#wake();
  }

  #push(name, samples, push) {
    if (this.#ended) throw new InputError("ended", { name });
    const index = this.names.indexOf(name);
    if (index < 0) return [];
    const { channels } = this.#bundle.modalities[index],
      values = flat(name, samples, channels);
    if (push(index, values, values.length / channels)) this.latePushes[name] += 1;
    return this.#closed();
  }

  /** The tokens that closed, and the decisions that were due with them. */
  #closed() {
    const made = new Map();
    for (let due = this.#bridge.due(); due; due = this.#bridge.due()) made.set(due.number, this.#make(due));
    const tokens = [];
    for (let token = this.#bridge.pop(); token; token = this.#bridge.pop()) {
      const timeS = (token.number + 1) * this.tokenS;
      tokens.push({ ...token, timeS, decision: made.get(token.number) ?? null });
    }
    return tokens;
  }

  #make(due) {
    const window = due.abstention === ABSTAIN.decided ? this.#bridge.windowOf(due) : null,
      said = window ? this.#finish(due, window) : due,
      next_sensor = this.names[this.#bridge.nextSensor(said)] ?? null,
      decision = { ...this.#told(said), ...this.#shown(said), next_sensor };
    if (this.#personal && said.probability.length) {
      const { u, logit } = this.#bridge.summary(this.#personal.head.components);
      this.#personal.follow(decision.time_s, u, logit);
    }
    this.#newest = { due, window, decision };
    this.#waiting.push(decision);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    this.#wake();
    return decision;
  }

  #wake() {
    this.#wakes.splice(0).forEach((wake) => wake());
  }

  #finish(due, window) {
    return this.#bridge.decide(due, this.#network.run(window));
  }

  /** A decision of the core with names and sentences. */
  #told(said) {
    const reason = said.abstention === ABSTAIN.decided ? null : this.#reason(said);
    const absent = this.names.map((name, m) => [name, this.#bridge.reasonNames(said.reasons[m])]);
    const probabilities = this.#probabilities(said);
    return {
      time_s: (said.number + 1) * this.tokenS,
      probabilities,
      sensors: Object.fromEntries(this.names.map((name, m) => [name, said.present[m] / said.tokens])),
      abstained: reason !== null,
      reason,
      absent: Object.fromEntries(absent.filter(([, why]) => why.length)),
      not_enrolled: this.names.filter((_, m) => (said.notEnrolled >> m) & 1),
      classes: classesOf(probabilities),
    };
  }

  /** What a display shows of a decision: nulls without one. */
  #shown(said) {
    if (!this.#displayS) return { shown_probabilities: null, shown: null };
    const averaged = this.#bridge.show(said),
      shown_probabilities = this.#probabilities(averaged),
      sure = Object.entries(classesOf(shown_probabilities)).filter((_, t) => (averaged.sure >> t) & 1);
    return { shown_probabilities, shown: Object.fromEntries(sure) };
  }

  /** A decision as a display shows it: by the average, which may be sure where the newest alone is not. */
  asShown(decision) {
    const { shown_probabilities: probabilities, shown } = decision;
    if (!probabilities || !Object.keys(probabilities).length) return decision;
    const { min_confidence: least = {} } = this.#bundle.manifest.decision,
      unsure = Object.keys(probabilities).find((task) => !(task in shown)),
      classes = classesOf(probabilities),
      reason = unsure ? this.#unsure(unsure, probabilities[unsure][classes[unsure]], least[unsure]) : null;
    return { ...decision, probabilities, classes, abstained: unsure !== undefined, reason };
  }

  #unsure(task, confidence, least = 0) {
    return `${this.#bridge.abstentionName(ABSTAIN.unsure)} (${unsureDetails(task, confidence, least)})`;
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
      return unsureDetails(task, confidence[unsureTask], least[task]);
    }
    return "";
  }

  /** The probabilities of a window with the sensor number `hidden` taken out of it. */
  #without({ due, window }, hidden) {
    const { features: width, modalities } = this.#bundle,
      { first, last } = modalities[hidden],
      features = window.features.slice(),
      presence = window.presence.slice(),
      nothing = (name) => this.#network.inputs.get(name).zeroPoint;
    for (let row = 0; row < due.tokens; row++) {
      features.fill(nothing("features"), row * width + first, row * width + last);
      presence[row * modalities.length + hidden] = nothing("presence");
    }
    return this.#probabilities(this.#finish(due, { features, presence }));
  }

  /**
   * What the newest decision rested on, by occlusion: by task and sensor, how much less likely the likeliest class is
   * with that sensor hidden from the network; null where it was absent throughout, or is the only one. (The
   * network gives logits only, no attention. A missing sensor is an ordinary input of it, so hiding one is a
   * fair question.)
   */
  restedOn() {
    const { due, window, decision } = this.#newest ?? {};
    if (!window || !Object.keys(decision.probabilities).length) return {};
    const { probabilities, classes } = decision;
    const here = this.names.map((_, m) => due.present[m] > 0);
    const alone = here.filter(Boolean).length < 2;
    const rested = Object.fromEntries(Object.keys(probabilities).map((task) => [task, {}]));
    for (const [m, name] of this.names.entries()) {
      const without = here[m] && !alone ? this.#without(this.#newest, m) : null;
      for (const [task, values] of Object.entries(probabilities)) {
        const best = classes[task];
        rested[task][name] = without ? values[best] - without[task][best] : null;
      }
    }
    return rested;
  }
}

/**
 * A decision as one line of `mmq-bridge stream --json`; what a display shows is in it where there is a filter, and when it
 * was where startedUnixS, the session's start in Unix seconds, is known.
 */
export function decisionLine(decision, simulated, startedUnixS = null) {
  const { shown_probabilities, shown, next_sensor, classes, ...said } = decision;
  const ms = startedUnixS === null ? null : Math.round((startedUnixS + decision.time_s) * 1000),
    utc = ms === null ? null : new Date(ms).toISOString().replace("Z", "+00:00");
  const when = { time_unix_s: ms === null ? null : ms / 1000, time_utc: utc };
  const more = { ...(shown && { shown_probabilities, shown }), ...(next_sensor && { next_sensor }) };
  return JSON.stringify({ ...said, ...more, classes, simulated, ...when });
}

/** The likeliest class of each task of {task: {class: probability}}; the first of equals. */
export const classesOf = (probabilities) =>
  Object.fromEntries(Object.entries(probabilities).map(([task, values]) => [task, likeliest(values)]));

/** The likeliest class of {class: probability}; the first of equals. */
export function likeliest(values) {
  return Object.keys(values).reduce((best, name) => (values[name] > values[best] ? name : best));
}

/** Samples [channel after channel], or an array per channel, as one Float32Array. */
function flat(name, samples, channels) {
  const rows = Array.isArray(samples) && typeof samples[0] !== "number" ? samples : [samples];
  const isWhole = rows.length === 1 || (rows.length === channels && rows.every((row) => row.length === rows[0].length));
  const length = rows.reduce((sum, row) => sum + (row?.length ?? NaN), 0);
  if (!isWhole || !Number.isInteger(length / channels))
    throw new InputError("samples", { name, channels });
  if (rows.length === 1) return rows[0] instanceof Float32Array ? rows[0] : Float32Array.from(rows[0]);
  const values = new Float32Array(length);
  rows.forEach((row, channel) => values.set(row, channel * row.length));
  return values;
}

const unsureDetails = (task, confidence, least = 0) => `${task} ${confidence.toFixed(2)} < ${least.toFixed(2)}`;

/** Six significant digits at most, as Python's :g. */
const short = (value) => String(Number(value.toPrecision(6)));

/** Whole percent, halves to the even number, as Python's :.0%. */
export function percent(share) {
  const value = share * 100,
    floor = Math.floor(value);
  const up = value - floor > 0.5 || (value - floor === 0.5 && floor % 2 === 1);
  return `${up ? floor + 1 : floor}%`;
}
