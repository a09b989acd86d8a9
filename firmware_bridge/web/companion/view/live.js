// SPDX-License-Identifier: Apache-2.0
// live.js: a running session on the page: what it says is remembered, drawn and, when it changes, announced.
import { decisionLine } from "../../src/index.js";
import { t } from "../strings.js";
import { showAwaited } from "./awaited.js";
import { History } from "./memory.js";
import { showNow, spoken } from "./now.js";
import { SensorCard } from "./sensor.js";
import { fillTable } from "./table.js";
import { clock } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const ANNOUNCE_MS = 5000;
const RUSH_MS = 200; // as fast as it goes: the time is for the recording, not for drawing

export class Live {
  #bundle;
  #device;
  #source;
  #session;
  #view;
  #onDraw;
  #cards;
  #history;
  #frame = 0;
  #changed = true;
  #newest = null;
  #judged = null; // the newest decision that was asked what it rested on
  #rested = {}; // and what that was
  #enrolment = null; // of the newest token
  #filled = 0; // tokens since it ended
  #part = 0;
  #keptUpTo = 0;
  #keptMarks = null;
  #said = { text: "", atMs: -ANNOUNCE_MS };

  /** `view(decision)` is what is shown of it; `onDraw()` is called when there is something new to draw. */
  constructor(bundle, device, source, { view, onSwitch, onDraw }) {
    this.#bundle = bundle;
    this.#device = device;
    this.#source = source;
    this.#view = view;
    this.#onDraw = onDraw;
    this.startedMs = Date.now();
    this.#history = new History(bundle.modalities.length);
    this.#cards = bundle.modalities.map((modality, index) => new SensorCard(modality, index, onSwitch));
    $("#sensor-list").replaceChildren(...this.#cards.map(({ element }) => element));
    showNow(null, this.#tasks);
    showAwaited(null);
  }

  get #tasks() {
    return this.#bundle.manifest.decision.tasks;
  }

  get history() {
    return this.#history;
  }

  /** What a Session tells. */
  get events() {
    return {
      step: ({ chunks }) =>
        chunks.forEach((chunk) => this.#cards[this.#device.names.indexOf(chunk.name)].trace.take(chunk)),
      token: (token) => {
        this.#history.addToken(token);
        this.#cards.forEach((card) => card.setToken(token));
        this.#enrolment = this.#device.enrolmentAt(token.number);
        this.#filled = this.#enrolment.left > 0 ? 0 : this.#filled + 1;
        this.#changed = true;
      },
      decision: (decision, token) => {
        this.#newest = decision;
        this.#history.addDecision(token.number, decision);
        this.#changed = true;
      },
      end: () => {
        this.rest();
        this.#say(t("ended"));
      },
    };
  }

  follow(session) {
    this.#session = session;
    let drawnMs = -Infinity;
    const draw = (nowMs) => {
      if (session.speed > 0 || nowMs - drawnMs >= RUSH_MS) {
        drawnMs = nowMs;
        this.#draw();
      }
      this.#frame = requestAnimationFrame(draw);
    };
    draw(performance.now());
  }

  /** Stop drawing; what is shown stays. */
  rest() {
    cancelAnimationFrame(this.#frame);
    this.redraw();
  }

  redraw() {
    this.#changed = true;
    this.#draw();
  }

  /** The same in another language. */
  reword(onSwitch) {
    const isOn = this.#cards.map((card) => card.isOn);
    this.#cards = this.#cards.map((card) => card.copy(onSwitch));
    this.#cards.forEach((card, index) => card.setOn(isOn[index]));
    $("#sensor-list").replaceChildren(...this.#cards.map(({ element }) => element));
    this.#judged = null;
    this.redraw();
  }

  press(index) {
    this.#cards[index]?.press();
  }

  /** Every remembered decision, as it was made, as `mmq-tf stream --json` writes it. */
  lines() {
    const simulated = this.#bundle.manifest.simulated || this.#source.simulated;
    return [...this.#history.decisions()].map(({ shown, shown_probabilities, ...made }) =>
      decisionLine(made, simulated, this.#source.startedUnixS ?? null),
    );
  }

  /** The next part of the session, to be kept; null where nothing came. */
  journal = () => {
    const marks = this.#device.personal?.marks ?? [];
    if (this.#history.length === this.#keptUpTo && marks === this.#keptMarks) return null;
    const part = this.#history.part(this.#keptUpTo);
    this.#keptUpTo = this.#history.length;
    this.#keptMarks = marks;
    return { ...part, marks, startedMs: this.startedMs, part: this.#part++, name: this.#source.name };
  };

  #draw() {
    const nowS = this.#session.positionS;
    const ofS = Number.isFinite(this.#source.durationS) ? ` / ${clock(this.#source.durationS)}` : "";
    $("#clock").textContent = clock(nowS) + ofS;
    for (const card of this.#cards) card.drawTrace(nowS - 1); // a step shows while the next one is awaited
    if (!this.#changed) return;
    this.#changed = false;
    this.#showDecision();
    this.#onDraw();
    if ($("#table-details").open)
      fillTable($("#table-details table"), this.#history, this.#view, this.#tasks, this.#device.names);
  }

  #showDecision() {
    const decision = this.#newest;
    if (!decision) return;
    if (decision !== this.#judged) this.#rested = this.#device.restedOn(); // only of what is shown: it takes time
    this.#judged = decision;
    const shown = this.#view(decision);
    showNow(shown, this.#tasks, decision, this.#rested);
    this.#showAwaited();
    const [task] = Object.keys(this.#tasks);
    this.#cards.forEach((card, m) => {
      const change = this.#rested[task]?.[this.#device.names[m]] ?? null;
      card.setRested(change, decision.classes[task] ?? null);
    });
    this.#announce(spoken(shown));
  }

  #showAwaited() {
    const { left } = this.#enrolment,
      isAwaited = left > 0 || this.#filled < this.#bundle.tokens;
    if (!isAwaited) return showAwaited(null);
    const states = Object.fromEntries(this.#device.names.map((name, m) => [name, this.#cards[m].standing]));
    const speed = this.#session.over ? 0 : this.#session.speed;
    showAwaited({ enrolment: this.#enrolment, filled: this.#filled, states, speed }, this.#bundle, this.#device.tokenS);
  }

  /** Tell screen readers what is new, not too often. */
  #announce(text) {
    const nowMs = performance.now();
    if (text !== this.#said.text && nowMs - this.#said.atMs >= ANNOUNCE_MS) this.#say(text);
  }

  #say(text) {
    this.#said = { text, atMs: performance.now() };
    $("#announce").textContent = text;
  }
}
