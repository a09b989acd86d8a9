// SPDX-License-Identifier: Apache-2.0
// session.js: a source played through a device at some speed, with sensors switched off and on while it runs.
const BUDGET_MS = 12;
const NAP_MS = 40;

export class Session {
  #device;
  #source;
  #on;
  #anchor;
  #speed;
  #paused = false;
  #stopped = false;
  #restedAt = 0;
  muted = new Set();
  nowS = 0;

  /** A live source plays at its own time. `on` has step({nowS, chunks}), token(token), decision(decision) and end(): called as the session goes on. */
  constructor(device, source, speed, on) {
    this.#device = device;
    this.#source = source;
    this.#on = on;
    this.#speed = source.isLive ? 1 : speed;
    this.#anchor = { s: 0, ms: performance.now() };
  }

  get paused() {
    return this.#paused;
  }

  /** Whether it was stopped, or played to its end. */
  get over() {
    return this.#stopped;
  }

  /** Where the session stands in its own time, in s: goes on smoothly between two steps. */
  get positionS() {
    if (this.#paused || this.#stopped || this.#speed === 0) return this.nowS;
    return Math.min(this.#due(), this.nowS + 1);
  }

  /** Times real time; 0 is as fast as it goes. */
  get speed() {
    return this.#speed;
  }

  set speed(value) {
    this.#anchor = { s: this.nowS, ms: performance.now() };
    if (!this.#source.isLive) this.#speed = value;
  }

  set paused(value) {
    this.#paused = value;
    this.#anchor = { s: this.nowS, ms: performance.now() };
  }

  stop() {
    this.#stopped = true;
  }

  async run() {
    this.#anchor = { s: 0, ms: performance.now() };
    this.#restedAt = performance.now();
    try {
      for (const step of this.#source.steps()) {
        await this.#turn(step.nowS);
        if (this.#stopped) return;
        this.#play(step);
      }
    } finally {
      this.#stopped = true;
    }
    this.#on.end();
  }

  #play({ nowS, chunks }) {
    const heard = chunks.filter(({ name }) => !this.muted.has(name));
    for (const { name, samples, timeS } of heard) this.#settle(this.#device.push(name, samples, timeS));
    this.#settle(this.#device.advance(nowS - this.#device.graceS));
    this.nowS = nowS;
    this.#on.step({ nowS, chunks: heard });
  }

  #settle(tokens) {
    for (const token of tokens) {
      this.#on.token(token);
      if (token.decision) this.#on.decision(token.decision, token);
    }
  }

  #due() {
    return this.#anchor.s + ((performance.now() - this.#anchor.ms) / 1000) * this.#speed;
  }

  /** Wait until a step's time has come; let the page draw in between. */
  async #turn(nowS) {
    while (!this.#stopped && (this.#paused || (this.#speed > 0 && this.#due() < nowS))) {
      const waitMs = this.#paused ? NAP_MS : Math.min(NAP_MS, (1000 * (nowS - this.#due())) / this.#speed);
      await this.#rest(waitMs);
    }
    if (performance.now() - this.#restedAt > BUDGET_MS) await this.#rest(0);
  }

  async #rest(ms) {
    await new Promise((wake) => setTimeout(wake, ms));
    this.#restedAt = performance.now();
  }
}
