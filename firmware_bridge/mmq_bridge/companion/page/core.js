// SPDX-License-Identifier: Apache-2.0
// core.js: the C core in WebAssembly, the same bits as on the wearable.
import { readDecision, rulesWords, TASK_WORDS, tasksWords } from "./decision.js";
import { Problem } from "./problem.js";
import { fieldNumber, layOut } from "./spec.js";

const OK = 0,
  LATE = 6,
  NO_TOKEN = 7;
const STATUS = [
  "ok",
  "a pointer is null",
  "the spec is bad",
  "the memory is too small",
  "no such modality",
  "the time is not finite or ten days ahead of all that came",
  "late samples were dropped",
  "no token is closed",
  "the window is not full yet",
  "the normaliser is still enrolling",
  "the front end has no quantisation",
  "the spec is of a newer version than this core: update mmq-tf",
  "the state is cut short",
  "the state was changed, or is none",
  "the state is of another front end",
  "the state is of a newer version than this core: update mmq-tf",
  "samples came before the state: load it first",
  "a marked window is none",
  "the network wants to go on",
  "the network failed",
];
const PAGE_BYTES = 65536;
const ALIGNMENT = 16;
const MAX_STATE_BYTES = 1_000_000;

/** One bridge of the core in a memory of its own; `module` is core.wasm compiled, `spec` comes from readSpec. */
export class Bridge {
  #core;
  #memory;
  #top;
  #bridge;
  #spec;
  #scratch = { address: 0, bytes: 0 };
  #out;
  #decider;

  constructor(module, spec) {
    this.#core = new WebAssembly.Instance(module).exports;
    this.#core._initialize?.();
    this.#memory = this.#core.memory;
    this.#top = this.#core.__heap_base.value;
    const { address, specWords, modalityWords } = layOut(spec, (values) => this.#place(values));
    if (4 * specWords !== this.#core.spec_bytes() || 4 * modalityWords !== this.#core.modality_bytes()) {
      throw new Problem(
        "mmq_bridge/mmq_spec.h: it was written for another version of the core; export again.",
      );
    }
    this.#spec = address;
    const bytes = this.#core.mmq_bridge_size(address);
    if (!bytes) throw new Problem("mmq_bridge/mmq_spec.h: the core refuses it; export the bundle again.");
    const room = this.#reserve(bytes);
    const handle = this.#reserve(4);
    check(this.#core.mmq_bridge_init(room, bytes, address, handle), "front end");
    this.#bridge = new Uint32Array(this.#memory.buffer, handle, 1)[0];
    const features = fieldNumber(spec.fields, "n_features");
    const count = spec.modalities.length;
    this.#out = {
      features,
      count,
      at: {
        features: this.#reserve(4 * features),
        presence: this.#reserve(count),
        reasons: this.#reserve(2 * count),
        number: this.#reserve(8),
      },
    };
  }

  /** Bytes of the module's whole memory. */
  get bytes() {
    return this.#memory.buffer.byteLength;
  }

  /** Hand over samples [channels][frames], channel after channel, whose first frame was taken at timeS. */
  push(modality, samples, frames, timeS) {
    const address = this.#room(samples.byteLength);
    new Float32Array(this.#memory.buffer, address, samples.length).set(samples);
    const status = this.#core.mmq_bridge_push(this.#bridge, modality, address, frames, timeS);
    if (status !== LATE) check(status, "samples");
  }

  /** The same for a packet with a counter instead of a time; of firstIndex the last 32 bits count. */
  pushCounted(modality, samples, frames, firstIndex) {
    const address = this.#room(samples.byteLength);
    new Float32Array(this.#memory.buffer, address, samples.length).set(samples);
    const index = firstIndex | 0;
    const status = this.#core.mmq_bridge_push_counted(this.#bridge, modality, address, frames, index);
    if (status !== LATE) check(status, "samples");
  }

  /** Tokens the enrolment still lasts. */
  get enrolmentLeft() {
    return Number(this.#core.mmq_bridge_enrolment_left(this.#bridge));
  }

  /** What the wearer taught, as bytes: those of every other target. */
  save() {
    const bytes = this.#core.mmq_state_size(this.#spec);
    const address = this.#room(bytes);
    check(this.#core.mmq_state_save(this.#bridge, address, bytes), "state");
    return new Uint8Array(this.#memory.buffer, address, bytes).slice();
  }

  /** Take over what was saved, before the first sample; refused, nothing is changed. */
  load(state) {
    if (state.length > MAX_STATE_BYTES) throw new Problem("state: the state was changed, or is none.");
    const address = this.#room(state.length);
    new Uint8Array(this.#memory.buffer, address, state.length).set(state);
    check(this.#core.mmq_state_load(this.#bridge, address, state.length), "state");
  }

  /** Say that it is timeS now and nothing older will come. */
  advance(timeS) {
    check(this.#core.mmq_bridge_advance(this.#bridge, timeS), "time");
  }

  /** The oldest closed token not popped yet, or null: {number, features, presence, reasons}. */
  pop() {
    const { at, features, count } = this.#out;
    const status = this.#core.mmq_bridge_token(this.#bridge, at.features, at.presence, at.number);
    if (status === NO_TOKEN) return null;
    check(status, "token");
    const number = new BigInt64Array(this.#memory.buffer, at.number, 1)[0];
    check(this.#core.mmq_bridge_reasons(this.#bridge, number, at.reasons), "reasons");
    const { buffer } = this.#memory;
    return {
      number: Number(number),
      features: new Float32Array(buffer, at.features, features).slice(),
      presence: new Uint8Array(buffer, at.presence, count).slice(),
      reasons: new Uint16Array(buffer, at.reasons, count).slice(),
    };
  }

  /**
   * Begin to decide by the rules of a manifest, {tasks, temperature, min_confidence, ...}, about tokens that close from
   * now on; what is shown is the average of displayS.
   */
  beginToDecide(decision, displayS) {
    const core = this.#core,
      outputs = Object.values(decision.tasks).reduce((sum, classes) => sum + classes.length, 0),
      tasks = this.#place(tasksWords(decision)),
      rules = this.#place(rulesWords(decision, tasks)),
      decider = this.#reserve(core.decider_bytes()),
      status = core.task_bytes() === 4 * TASK_WORDS ? core.mmq_decider_init(decider, this.#bridge, rules) : -1;
    if (status !== OK)
      throw new Problem("manifest.json: the core refuses its decision settings; export the bundle again.");
    const rows = Math.ceil(displayS / (core.token_s(this.#spec) * decision.every_tokens)) + 1,
      display = this.#reserve(core.display_bytes()),
      times = this.#reserve(8 * rows),
      kept = this.#reserve(4 * rows * outputs);
    core.begin_display(display, displayS, times, kept, rows, outputs);
    const bytes = core.decision_bytes();
    const [said, shown] = [this.#reserve(bytes), this.#reserve(bytes)];
    const { features, count } = this.#out,
      tokens = core.tokens(this.#spec);
    const window = {
      features: { address: this.#reserve(4 * tokens * features), length: tokens * features },
      presence: { address: this.#reserve(4 * tokens * count), length: tokens * count },
    };
    const logits = { address: this.#reserve(4 * outputs), length: outputs };
    this.#decider = { decider, rules, display, bytes, said, shown, window, logits };
  }

  /** The next decision that is due, with what is known before the model is run; or null. See readDecision. */
  due() {
    const { decider, said } = this.#decider;
    const status = this.#core.mmq_decision_due(decider, said);
    if (status === NO_TOKEN) return null;
    check(status, "decision");
    return this.#read(said);
  }

  /** The window {features, presence} of a decision that is due. */
  windowOf({ number }) {
    const { features, presence } = this.#decider.window;
    const { address } = features;
    check(
      this.#core.mmq_bridge_window_at(this.#bridge, BigInt(number), address, presence.address),
      "window",
    );
    return { features: this.#floats(features).slice(), presence: this.#floats(presence).slice() };
  }

  /** A decision that was due, finished with the logits of one task after the other. */
  decide({ bytes }, given) {
    const { decider, said, logits } = this.#decider;
    if (given.length !== logits.length)
      throw new Problem(`the model gave ${given.length} logits, expected ${logits.length}; export again.`);
    this.#write(said, bytes);
    this.#floats(logits).set(given);
    check(this.#core.mmq_decide(decider, logits.address, said), "decision");
    return this.#read(said);
  }

  /** What a display shows of a decision, never before the one shown last: the average of the last seconds. */
  show({ bytes }) {
    const { rules, display, said, shown } = this.#decider;
    this.#write(said, bytes);
    check(this.#core.mmq_display_show(display, rules, said, shown), "display");
    return this.#read(shown);
  }

  /** The core's words for why a decision abstains. */
  abstentionName(abstention) {
    const start = this.#core.mmq_abstention_name(abstention);
    const bytes = new Uint8Array(this.#memory.buffer, start);
    return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
  }

  #read(address) {
    const { bytes } = this.#decider;
    return readDecision(new Uint8Array(this.#memory.buffer, address, bytes).slice());
  }

  #write(address, bytes) {
    new Uint8Array(this.#memory.buffer, address, bytes.length).set(bytes);
  }

  #floats({ address, length }) {
    return new Float32Array(this.#memory.buffer, address, length);
  }

  /** Room for what is handed over in one call. */
  #room(bytes) {
    if (bytes > this.#scratch.bytes) this.#scratch = { address: this.#reserve(bytes), bytes };
    return this.#scratch.address;
  }

  #reserve(bytes) {
    const address = Math.ceil(this.#top / ALIGNMENT) * ALIGNMENT;
    this.#top = address + bytes;
    const missing = this.#top - this.#memory.buffer.byteLength;
    if (missing > 0) this.#memory.grow(Math.ceil(missing / PAGE_BYTES));
    return address;
  }

  #place(values) {
    const address = this.#reserve(values.byteLength);
    new Uint8Array(this.#memory.buffer).set(
      new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
      address,
    );
    return address;
  }
}

/** Names of the reasons' bits, as Python calls them. */
const REASONS = [
  "lost",
  "range",
  "lead_off",
  "saturated",
  "flat",
  "step",
  "weak",
  "strong",
  "kurtosis",
  "band",
  "irregular",
  "skewed",
  "unjudged",
  "rate",
];
export const reasonNames = (bits) => REASONS.filter((_, bit) => bits & (1 << bit));

function check(status, what) {
  if (status !== OK) throw new Problem(`${what}: ${STATUS[status] ?? `status ${status}`}.`);
}
