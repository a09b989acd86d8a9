// SPDX-License-Identifier: Apache-2.0
// personal.js: what a wearer marked of the past, and the correction of decisions: mmq_personal.h of the core, and the
// rules of mmq_bridge/decision/personal.py for which windows of a stretch are marked.
import { BundleError, MarkError, StateError } from "./errors.js";

const OK = 0,
  NOT_READY = 8,
  UNHELPFUL = 23;
const MARKS = 32,
  COMPONENTS = 32,
  LEAST = 2;
const ROOM_BYTES = 4 * (7 + COMPONENTS + MARKS * (3 + COMPONENTS)); // MMQ_HEAD_SAVED_BYTES; MMQ_HEAD_SCRATCH is less
const HEAD_BYTES = 40;
const PLACE = { weight: 8, stretch: 8 + 4 * (COMPONENTS + MARKS + MARKS * COMPONENTS) }; // in mmq_head_state_t
const LABELS = PLACE.stretch + 4 * MARKS;
const APART_S = 15,
  A_STRETCH = 8,
  PAST = 17280,
  NEAR_S = 1e-6;

/** Marked windows of one wearer and what was learned from them, in the memory of a core. */
export class Head {
  #memory;
  #core;
  #u;
  #room;
  unhelpful = false;

  /** `tables` are those of personal_head.json. */
  constructor(memory, tables) {
    const { column, owner, centre, scale, component } = tables,
      { core } = memory;
    this.#memory = memory;
    this.#core = core;
    this.components = component.length;
    const arrays = [
      Uint16Array.from(column),
      Uint16Array.from(owner),
      Float32Array.from(centre),
      Float32Array.from(scale),
      Float32Array.from(component.flat()),
    ].map((values) => memory.place(values));
    const sizes = [tables.tokens, tables.n_modalities, tables.n_features, column.length, this.components];
    const head = memory.place(Uint32Array.from([...sizes, ...arrays]));
    this.given = [head, memory.reserve(core.head_state_bytes())];
    this.#u = memory.reserve(4 * COMPONENTS);
    this.#room = memory.reserve(ROOM_BYTES);
    const isKnown = core.head_bytes() === HEAD_BYTES && core.head_state_bytes() >= LABELS + MARKS;
    if (!isKnown || core.mmq_head_init(...this.given) !== OK)
      throw new BundleError("headRefused");
  }

  get count() {
    return this.#memory.word(this.given[1]);
  }

  /** Class (0 or 1) of each marked window, oldest first. */
  get labels() {
    return [...this.#memory.read(this.given[1] + LABELS, this.count)];
  }

  /** In which stretch each is. */
  get stretches() {
    return [...new Uint32Array(this.#memory.buffer, this.given[1] + PLACE.stretch, this.count)];
  }

  mark(u, logit, label, stretch) {
    const status = this.#core.mmq_mark_summary(...this.given, this.#place(u), logit, label, stretch);
    this.#memory.check(status, "mark", MarkError);
  }

  /** Learn from what is marked. */
  adapt() {
    const status = this.#core.mmq_adapt(...this.given, this.#room);
    if (status !== NOT_READY && status !== UNHELPFUL) this.#memory.check(status, "mark", MarkError);
    this.unhelpful = status === UNHELPFUL;
  }

  /** Make one stretch of two: the first. */
  join(first, second) {
    const all = new Uint32Array(this.#memory.buffer, this.given[1] + PLACE.stretch, this.count);
    all.forEach((stretch, i) => stretch === second && (all[i] = first));
  }

  /** What is added to the logit of a window with these components. */
  correction(u) {
    return u ? this.#core.mmq_head_correction(...this.given, this.#place(u)) : 0;
  }

  reset() {
    this.#core.mmq_head_reset(this.given[1]);
    this.unhelpful = false;
  }

  save() {
    const bytes = this.#core.mmq_head_size(...this.given);
    this.#memory.check(this.#core.mmq_head_save(...this.given, this.#room, bytes), "marks", StateError);
    return this.#memory.read(this.#room, bytes);
  }

  load(content) {
    const status = this.#core.mmq_head_load(...this.given, this.#memory.place(content), content.length);
    this.#memory.check(status, "marks", StateError);
    const learned = new Float32Array(this.#memory.buffer, this.given[1] + 4, 1 + this.components);
    this.unhelpful = isEnough(this.labels) && learned.every((value) => value === 0);
  }

  #place(u) {
    new Float32Array(this.#memory.buffer, this.#u, u.length).set(u);
    return this.#u;
  }
}

/** The personal head of one wearer on one device. */
export class Personal {
  #windowS;
  #past = [];
  /** {label, startS, stopS, windows, stretch} since the device began or last forgot. */
  marks = [];

  constructor(head, classes, windowS) {
    this.head = head;
    this.classes = classes;
    this.#windowS = windowS;
  }

  /** Marked windows that are kept, by class. */
  get counts() {
    const { labels } = this.head;
    return Object.fromEntries(this.classes.map((name, k) => [name, labels.filter((label) => label === k).length]));
  }

  /** Whether anything is corrected. */
  get adapted() {
    return isEnough(this.head.labels) && !this.head.unhelpful;
  }

  /** Remember a window that is decided about: its end, its components (or null), the model's own logit. */
  follow(timeS, u, logit) {
    this.#past.push({ timeS, u, logit });
    if (this.#past.length > PAST) this.#past.shift();
  }

  /** Learn that a stretch of the past was of one class; how many of its windows are used. */
  mark(label, startS, stopS) {
    if (!this.classes.includes(label))
      throw new MarkError("markClass", { classes: this.classes.join(" or "), got: String(label).slice(0, 60) });
    const span = { start: startS, stop: stopS };
    if (!(Number.isFinite(startS) && Number.isFinite(stopS) && startS < stopS))
      throw new MarkError("markTimes", span);
    const over = this.marks.find((mark) => startS < mark.stopS - NEAR_S && mark.startS < stopS - NEAR_S);
    if (over)
      throw new MarkError("markOver", { ...span, otherStart: over.startS, otherStop: over.stopS, label: over.label });
    const windows = this.#windows(startS, stopS);
    if (!windows.length) {
      const [first, last] = [0, -1].map((at) => this.#past.at(at)?.timeS);
      throw new MarkError(this.#past.length ? "markBeyond" : "markEmpty", { ...span, window: this.#windowS, first, last });
    }
    const stretch = this.#stretch(label, startS, stopS);
    for (const { u, logit } of windows) this.head.mark(u, logit, this.classes.indexOf(label), stretch);
    this.head.adapt();
    this.marks = [...this.marks, { label, startS, stopS, windows: windows.length, stretch }];
    return windows.length;
  }

  forget() {
    this.head.reset();
    this.marks = [];
  }

  /** What else should be marked: {kind: "more" | "unhelpful" | "second", label}; null when nothing. */
  get asks() {
    const few = Object.entries(this.counts).find(([, count]) => count < LEAST);
    if (few) return { kind: "more", label: few[0] };
    if (this.head.unhelpful) return { kind: "unhelpful", label: null };
    const { labels, stretches } = this.head;
    const several = new Set(stretches.filter((_, i) => labels[i] === 1)).size > 1;
    return several ? null : { kind: "second", label: this.classes[1] };
  }

  /** {timeS, before, after} of each remembered decision: the probability of the second class. */
  get beforeAndAfter() {
    return this.#past.map(({ timeS, u, logit }) => ({
      timeS,
      before: sigmoid(logit),
      after: sigmoid(logit + this.head.correction(u)),
    }));
  }

  /** Empty where nothing is marked. */
  save() {
    return this.head.count ? this.head.save() : new Uint8Array();
  }

  load(content) {
    this.head.load(content);
    this.marks = [];
  }

  #windows(startS, stopS) {
    const inside = [];
    for (const one of this.#past) {
      if (!one.u || one.timeS - this.#windowS < startS - NEAR_S || one.timeS > stopS + NEAR_S) continue;
      if (!inside.length || one.timeS >= inside.at(-1).timeS + APART_S - NEAR_S) inside.push(one);
    }
    if (inside.length <= A_STRETCH) return inside;
    const step = (inside.length - 1) / (A_STRETCH - 1);
    return Array.from({ length: A_STRETCH }, (_, i) => inside[even(i * step)]);
  }

  /** The number of a stretch: that of those it touches, which become one, or a new one. */
  #stretch(label, startS, stopS) {
    const near = (a, b) => Math.abs(a - b) <= NEAR_S;
    const touched = this.marks
      .filter((mark) => mark.label === label && (near(mark.stopS, startS) || near(stopS, mark.startS)))
      .map(({ stretch }) => stretch);
    if (!touched.length) {
      const taken = new Set([...this.head.stretches, ...this.marks.map(({ stretch }) => stretch)]);
      let number = 0;
      while (taken.has(number)) number++;
      return number;
    }
    const first = Math.min(...touched);
    for (const other of new Set(touched)) {
      if (other === first) continue;
      this.head.join(first, other);
      this.marks = this.marks.map((mark) => (mark.stretch === other ? { ...mark, stretch: first } : mark));
    }
    return first;
  }
}

/** A saved state's two parts: that of the front end, which says its length, and that of the head, or nothing. */
export function splitState(state) {
  const length = state.length >= 12 ? new DataView(state.buffer, state.byteOffset).getUint32(8, true) : 0;
  const isHead = state.length > length + 4 && new TextDecoder().decode(state.subarray(length, length + 4)) === "MMQH";
  return length && isHead ? [state.subarray(0, length), state.subarray(length)] : [state, new Uint8Array()];
}

const isEnough = (labels) => [0, 1].every((k) => labels.filter((label) => label === k).length >= LEAST);

const sigmoid = (logit) => 1 / (1 + Math.exp(-logit));

/** The nearest whole number, halves to the even one, as Python's round. */
function even(value) {
  const floor = Math.floor(value);
  return value - floor > 0.5 || (value - floor === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
