// SPDX-License-Identifier: Apache-2.0
// live.js: a running session on the page: what it says is remembered, drawn and, when it changes, announced.
import { decisionLine } from "../../src/index.js";
import { colour, span } from "./canvas.js";
import { drawChances } from "./chances.js";
import { History } from "./memory.js";
import { element, showNow, spoken } from "./now.js";
import { SensorCard } from "./sensor.js";
import { fillTable } from "./table.js";
import { clock, percentOf } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const LEAST_TOKENS = 24;
const ANNOUNCE_MS = 5000;
const RUSH_MS = 200; // as fast as it goes: the time is for the recording, not for drawing

export class Live {
  #bundle;
  #device;
  #source;
  #session;
  #cards;
  #history;
  #charts;
  #frame = 0;
  #changed = true;
  #newest = null;
  #averages = new WeakMap();
  #judged = null; // the newest decision that was asked what it rested on
  #rested = {}; // and what that was
  #said = { text: "", atMs: -ANNOUNCE_MS };

  constructor(bundle, device, source, onSwitch) {
    this.#bundle = bundle;
    this.#device = device;
    this.#source = source;
    this.#history = new History(bundle.modalities.length);
    this.#cards = bundle.modalities.map((modality, index) => new SensorCard(modality, index, onSwitch));
    $("#sensor-list").replaceChildren(...this.#cards.map(({ element }) => element));
    this.#makeCharts();
    showNow(null, this.#tasks);
  }

  get #tasks() {
    return this.#bundle.manifest.decision.tasks;
  }

  /** What a Session tells. */
  get events() {
    return {
      step: ({ chunks }) =>
        chunks.forEach((chunk) => this.#cards[this.#device.names.indexOf(chunk.name)].trace.take(chunk)),
      token: (token) => {
        this.#history.addToken(token);
        this.#cards.forEach((card) => card.setToken(token));
        this.#changed = true;
      },
      decision: (decision, token) => {
        this.#newest = decision;
        this.#history.addDecision(token.number, decision);
        this.#changed = true;
      },
      end: () => {
        this.rest();
        this.#say("The recording has ended.");
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

  press(index) {
    this.#cards[index]?.press();
  }

  /** A decision as it is to be shown: averaged, or as it was made. */
  #view = (decision) => {
    if (!$("#average").checked) return decision;
    if (!this.#averages.has(decision)) this.#averages.set(decision, this.#device.asShown(decision));
    return this.#averages.get(decision);
  };

  /** Every remembered decision, as it was made, as `mmq-tf stream --json` writes it. */
  lines() {
    const simulated = this.#bundle.manifest.simulated || this.#source.simulated;
    return [...this.#history.decisions()].map(({ shown, shown_probabilities, ...made }) =>
      decisionLine(made, simulated),
    );
  }

  #draw() {
    const nowS = this.#session.positionS;
    const ofS = Number.isFinite(this.#source.durationS) ? ` / ${clock(this.#source.durationS)}` : "";
    $("#clock").textContent = clock(nowS) + ofS;
    for (const card of this.#cards) card.drawTrace(nowS - 1); // a step shows while the next one is awaited
    if (!this.#changed) return;
    this.#changed = false;
    const { tokenS } = this.#device;
    const shown = span(this.#history.length * tokenS, Number($("#shown").value), LEAST_TOKENS * tokenS);
    for (const card of this.#cards) card.drawLane(this.#history, tokenS, shown);
    this.#drawCharts(shown);
    this.#showDecision();
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
    const [task] = Object.keys(this.#tasks);
    this.#cards.forEach((card, m) => {
      const change = this.#rested[task]?.[this.#device.names[m]] ?? null;
      card.setRested(change, decision.classes[task] ?? null);
    });
    this.#announce(spoken(shown));
  }

  #makeCharts() {
    const several = Object.keys(this.#tasks).length > 1;
    this.#charts = Object.entries(this.#tasks).map(([task, classes]) => {
      const canvas = element("canvas");
      canvas.setAttribute("role", "img");
      return { task, classes, canvas };
    });
    $("#chances").replaceChildren(
      ...this.#charts.flatMap(({ task, canvas }) => (several ? [element("h3", "", task), canvas] : [canvas])),
    );
    const names = new Map(this.#charts.flatMap(({ classes }) => classes.map((name, k) => [name, k])));
    const marks = [...names].map(([name, k]) =>
      mark(name, (item) => (item.style.background = colour(`class${k % 6}`))),
    );
    $("#class-legend").replaceChildren(
      ...marks,
      mark("faded: it abstains", (item) => (item.className = "pale")),
      mark("no decision yet, or too little present", (item) => (item.className = "imputed")),
    );
  }

  #drawCharts(shown) {
    const { every_tokens: everyTokens } = this.#bundle.manifest.decision;
    for (const { task, classes, canvas } of this.#charts) {
      drawChances(canvas, this.#history, this.#view, task, classes, this.#device.tokenS, everyTokens, shown, clock);
      const values = this.#newest && this.#view(this.#newest).probabilities[task];
      const now = values
        ? classes.map((name) => `${name} ${percentOf(values[name])}`).join(", ")
        : "no decision";
      canvas.setAttribute(
        "aria-label",
        `Probabilities of ${task} from ${clock(shown[0])} to ${clock(shown[1])}; newest: ${now}`,
      );
    }
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

function mark(text, paint) {
  const item = element("i"),
    label = element("span", "");
  paint(item);
  label.append(item, text);
  return label;
}
