// SPDX-License-Identifier: Apache-2.0
// core.js: the C core's bridge and decisions, the same bits as on the wearable.
import { nextWords, readDecision, rulesWords, TASK_WORDS, tasksWords } from "./decision.js";
import { Memory } from "./memory.js";
import { BundleError, InputError, StateError } from "./errors.js";
import { fieldNumber, layOut } from "./spec.js";

const OK = 0,
  LATE = 6,
  NO_TOKEN = 7;
const TENSOR_BYTES = 20;
const MAX_STATE_BYTES = 1_000_000;

/** One bridge of the core in a memory of its own; `module` is core.wasm compiled, `spec` comes from readSpec. */
export class Bridge {
  #core;
  #memory;
  #bridge;
  #spec;
  #scratch = { address: 0, bytes: 0 };
  #out;
  #decider;

  constructor(module, spec) {
    this.#memory = new Memory(module);
    this.#core = this.#memory.core;
    const { address, specWords, modalityWords } = layOut(spec, (values) => this.#memory.place(values));
    if (4 * specWords !== this.#core.spec_bytes() || 4 * modalityWords !== this.#core.modality_bytes()) {
      throw new BundleError("specOther");
    }
    this.#spec = address;
    const bytes = this.#core.mmq_bridge_size(address);
    if (!bytes) throw new BundleError("specRefused");
    const room = this.#reserve(bytes);
    const handle = this.#reserve(4);
    this.#check(this.#core.mmq_bridge_init(room, bytes, address, handle), "front end");
    this.#bridge = this.#memory.word(handle);
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

  /** The memory it lives in, for a network beside it. */
  get memory() {
    return this.#memory;
  }

  /** Bytes of the module's whole memory. */
  get bytes() {
    return this.#memory.buffer.byteLength;
  }

  /** Hand over samples [channels][frames], channel after channel, from timeS on; whether they came too late. */
  push(modality, samples, frames, timeS) {
    const address = this.#room(samples.byteLength);
    new Float32Array(this.#memory.buffer, address, samples.length).set(samples);
    const status = this.#core.mmq_bridge_push(this.#bridge, modality, address, frames, timeS);
    if (status !== LATE) this.#check(status, "samples", InputError);
    return status === LATE;
  }

  /** The same for a packet with a counter instead of a time; of firstIndex the last 32 bits count. */
  pushCounted(modality, samples, frames, firstIndex) {
    const address = this.#room(samples.byteLength);
    new Float32Array(this.#memory.buffer, address, samples.length).set(samples);
    const index = firstIndex | 0;
    const status = this.#core.mmq_bridge_push_counted(this.#bridge, modality, address, frames, index);
    if (status !== LATE) this.#check(status, "samples", InputError);
    return status === LATE;
  }

  /** Tokens the enrolment still lasts. */
  get enrolmentLeft() {
    return Number(this.#core.mmq_bridge_enrolment_left(this.#bridge));
  }

  /** How far the enrolment was at the end of a closed token: {measured: by modality, left}. */
  enrolmentAt(number) {
    const { count } = this.#out,
      measured = this.#room(4 * count + 4),
      left = measured + 4 * count;
    this.#check(this.#core.mmq_bridge_enrolment(this.#bridge, BigInt(number), measured, left, 0), "enrolment");
    return { measured: [...new Uint32Array(this.#memory.buffer, measured, count)], left: this.#memory.word(left) };
  }

  /** What the wearer taught, as bytes: those of every other target. */
  save() {
    const bytes = this.#core.mmq_state_size(this.#spec);
    const address = this.#room(bytes);
    this.#check(this.#core.mmq_state_save(this.#bridge, address, bytes), "state", StateError);
    return new Uint8Array(this.#memory.buffer, address, bytes).slice();
  }

  /** Take over what was saved, before the first sample; refused, nothing is changed. */
  load(state) {
    if (state.length > MAX_STATE_BYTES) throw new StateError("stateLong");
    const address = this.#room(state.length);
    new Uint8Array(this.#memory.buffer, address, state.length).set(state);
    this.#check(this.#core.mmq_state_load(this.#bridge, address, state.length), "state", StateError);
  }

  /** Say that it is timeS now and nothing older will come. */
  advance(timeS) {
    this.#check(this.#core.mmq_bridge_advance(this.#bridge, timeS), "time", InputError);
  }

  /** The oldest closed token not popped yet, or null: {number, features, presence, reasons (bits), why (names)}. */
  pop() {
    const { at, features, count } = this.#out;
    const status = this.#core.mmq_bridge_token(this.#bridge, at.features, at.presence, at.number);
    if (status === NO_TOKEN) return null;
    this.#check(status, "token");
    const number = new BigInt64Array(this.#memory.buffer, at.number, 1)[0];
    this.#check(this.#core.mmq_bridge_reasons(this.#bridge, number, at.reasons), "reasons");
    const { buffer } = this.#memory,
      bits = new Uint16Array(buffer, at.reasons, count).slice();
    return {
      number: Number(number),
      features: new Float32Array(buffer, at.features, features).slice(),
      presence: new Uint8Array(buffer, at.presence, count).slice(),
      reasons: bits,
      why: Array.from(bits, (one) => this.reasonNames(one)),
    };
  }

  /**
   * Begin to decide by the rules of a manifest, {tasks, temperature, min_confidence, ...}, and logits as a network's
   * `outputs` are scaled, about tokens that close from now on; what is shown is the average of displayS.
   */
  beginToDecide(decision, outputs, displayS) {
    const core = this.#core,
      count = Object.values(decision.tasks).reduce((sum, classes) => sum + classes.length, 0),
      tasks = this.#memory.place(tasksWords(decision, outputs)),
      rules = this.#memory.place(rulesWords(decision, tasks)),
      decider = this.#reserve(core.decider_bytes()),
      isKnown = core.task_bytes() === 4 * TASK_WORDS && core.tensor_bytes() === TENSOR_BYTES;
    if (!isKnown || core.mmq_decider_init(decider, this.#bridge, rules) !== OK)
      throw new BundleError("rulesRefused");
    const rows = Math.ceil(displayS / (core.token_s(this.#spec) * decision.every_tokens)) + 1,
      display = this.#reserve(core.display_bytes()),
      times = this.#reserve(8 * rows),
      kept = this.#reserve(4 * rows * count);
    core.begin_display(display, displayS, times, kept, rows, count);
    const bytes = core.decision_bytes();
    const [said, shown] = [this.#reserve(bytes), this.#reserve(bytes)];
    const { features, count: modalities } = this.#out,
      tokens = core.tokens(this.#spec);
    const window = {
      features: { address: this.#reserve(tokens * features), length: tokens * features },
      presence: { address: this.#reserve(tokens * modalities), length: tokens * modalities },
    };
    const logits = { address: this.#reserve(count), length: count };
    const next = decision.next_sensor ? this.#memory.place(nextWords(decision.next_sensor, this.#memory)) : 0;
    this.#decider = { next, decider, rules, display, bytes, said, shown, window, logits };
  }

  /** The next decision that is due, with what is known before the model is run; or null. See readDecision. */
  due() {
    const { decider, said } = this.#decider;
    const status = this.#core.mmq_decision_due(decider, said);
    if (status === NO_TOKEN) return null;
    this.#check(status, "decision");
    return this.#read(said);
  }

  /** The window {features, presence} of a decision that is due, as the network takes it. */
  windowOf({ number }) {
    const { features, presence } = this.#decider.window;
    const places = [features.address, presence.address];
    this.#check(this.#core.mmq_bridge_window_i8_at(this.#bridge, BigInt(number), ...places), "window");
    return { features: this.#int8(features).slice(), presence: this.#int8(presence).slice() };
  }

  /** A decision that was due, finished with the logits of one task after the other. */
  decide({ bytes }, given) {
    const { decider, said, logits } = this.#decider;
    this.#memory.write(said, bytes);
    this.#int8(logits).set(given);
    this.#check(this.#core.mmq_decide_i8(decider, logits.address, said), "decision");
    return this.#read(said);
  }

  /** What a display shows of a decision, never before the one shown last: the average of the last seconds. */
  show({ bytes }) {
    const { rules, display, said, shown } = this.#decider;
    this.#memory.write(said, bytes);
    this.#check(this.#core.mmq_display_show(display, rules, said, shown), "display");
    return this.#read(shown);
  }

  /** Correct the decisions of task number `task` by a personal head that lives in this memory. */
  follow({ given }, task) {
    this.#check(this.#core.mmq_decider_personal(this.#decider.decider, ...given, task), "personal head");
  }

  /** Components (or null) and uncorrected logit of the newest window that was due; k of them. */
  summary(k) {
    const { decider } = this.#decider,
      address = this.#core.decider_components(decider);
    const u = address ? new Float32Array(this.#memory.buffer, address, k).slice() : null;
    return { u, logit: this.#core.decider_logit(decider) };
  }

  /** Which sensor would help an undecided decision most, by the bundle's table; -1 where none would or there is none. */
  nextSensor({ bytes }, can = -1) {
    const { next, said } = this.#decider;
    this.#memory.write(said, bytes);
    return this.#core.mmq_next_sensor(next, said, can);
  }

  /** The core's words for why a decision abstains. */
  abstentionName(abstention) {
    return this.#memory.text(this.#core.mmq_abstention_name(abstention));
  }

  /** The core's names of the reasons whose bits are set. */
  reasonNames(bits) {
    const names = [];
    for (let left = bits; left; left &= left - 1)
      names.push(this.#memory.text(this.#core.mmq_reason_name(left)));
    return names;
  }

  #read(address) {
    const { bytes } = this.#decider;
    return readDecision(new Uint8Array(this.#memory.buffer, address, bytes).slice());
  }

  #int8({ address, length }) {
    return new Int8Array(this.#memory.buffer, address, length);
  }

  /** Room for what is handed over in one call. */
  #room(bytes) {
    if (bytes > this.#scratch.bytes) this.#scratch = { address: this.#reserve(bytes), bytes };
    return this.#scratch.address;
  }

  #reserve(bytes) {
    return this.#memory.reserve(bytes);
  }

  #check(status, what, Kind = BundleError) {
    this.#memory.check(status, what, Kind);
  }
}
