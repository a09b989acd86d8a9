// SPDX-License-Identifier: Apache-2.0
// memory.js: what the page remembers, in rings of fixed size: a long session takes no more room than a short one.
const MAX_TOKENS = 17280; // a day of 5 s

/** The newest samples of one sensor by time; what never came is NaN. */
export class Trace {
  #rows;
  #size;
  #last = -1;

  constructor({ channels, rateHz }, seconds) {
    this.rateHz = rateHz;
    this.#size = Math.ceil(rateHz * (seconds + 2));
    this.#rows = Array.from({ length: channels }, () => new Float32Array(this.#size).fill(NaN));
  }

  get channels() {
    return this.#rows.length;
  }

  take({ samples, frames, timeS }) {
    const first = Math.round(timeS * this.rateHz);
    const gap = Math.min(first - this.#last - 1, this.#size);
    for (let i = 1; i <= gap; i++) this.#write(first - i, () => NaN);
    for (let i = 0; i < frames; i++) this.#write(first + i, (channel) => samples[channel * frames + i]);
    this.#last = Math.max(this.#last, first + frames - 1);
  }

  /** The sample of a channel at an index, NaN where there is none. */
  at(channel, index) {
    const known = index <= this.#last && index > this.#last - this.#size && index >= 0;
    return known ? this.#rows[channel][index % this.#size] : NaN;
  }

  #write(index, value) {
    if (index < 0) return;
    this.#rows.forEach((row, channel) => (row[index % this.#size] = value(channel)));
  }
}

/** Tokens and decisions by the token's number. */
export class History {
  #decisions = new Array(MAX_TOKENS);
  #presence;
  #reasons;
  #modalities;
  length = 0;

  constructor(modalities) {
    this.#modalities = modalities;
    this.#presence = new Uint8Array(MAX_TOKENS * modalities);
    this.#reasons = new Uint16Array(MAX_TOKENS * modalities);
  }

  get first() {
    return Math.max(0, this.length - MAX_TOKENS);
  }

  addToken({ number, presence, reasons }) {
    for (let skipped = this.length; skipped < number; skipped++) this.#slot(skipped, [], []);
    this.#slot(number, presence, reasons);
    this.length = number + 1;
  }

  addDecision(number, decision) {
    this.#decisions[number % MAX_TOKENS] = decision;
  }

  token(number, modality) {
    const at = (number % MAX_TOKENS) * this.#modalities + modality;
    return { present: this.#presence[at] === 1, bits: this.#reasons[at] };
  }

  decision(number) {
    return number < this.first || number >= this.length ? undefined : this.#decisions[number % MAX_TOKENS];
  }

  /** All remembered decisions, oldest first. */
  *decisions() {
    for (let number = this.first; number < this.length; number++) {
      const decision = this.decision(number);
      if (decision) yield decision;
    }
  }

  /** All from a token on, as it is kept: {first, presence, reasons, decisions: [[number, decision], ...]}. */
  part(from) {
    const first = Math.max(from, this.first),
      count = Math.max(0, this.length - first),
      part = { first, presence: new Uint8Array(count * this.#modalities), reasons: new Uint16Array(count * this.#modalities) };
    const decisions = [];
    for (let number = first; number < this.length; number++) {
      const decision = this.decision(number);
      if (decision) decisions.push([number, decision]);
      for (let m = 0; m < this.#modalities; m++) {
        const { present, bits } = this.token(number, m);
        part.presence[(number - first) * this.#modalities + m] = present ? 1 : 0;
        part.reasons[(number - first) * this.#modalities + m] = bits;
      }
    }
    return { ...part, decisions };
  }

  /** Take over what `part` gave. */
  restore({ first, presence, reasons, decisions }) {
    const wide = this.#modalities;
    for (let at = 0; (at + 1) * wide <= presence.length; at++) {
      const [from, to] = [at * wide, (at + 1) * wide];
      this.addToken({ number: first + at, presence: presence.subarray(from, to), reasons: reasons.subarray(from, to) });
    }
    for (const [number, decision] of decisions) this.addDecision(number, decision);
  }

  #slot(number, presence, reasons) {
    const slot = number % MAX_TOKENS;
    this.#decisions[slot] = undefined;
    for (let m = 0; m < this.#modalities; m++) {
      this.#presence[slot * this.#modalities + m] = presence[m] ?? 0;
      this.#reasons[slot * this.#modalities + m] = reasons[m] ?? 1;
    }
  }
}
