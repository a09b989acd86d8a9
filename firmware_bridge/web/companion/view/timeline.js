// SPDX-License-Identifier: Apache-2.0
// timeline.js: a session over time: probabilities, who was there, and the wearer's marks; to point at, zoom and mark.
import { t } from "../strings.js";
import { colour, span } from "./canvas.js";
import { drawChances } from "./chances.js";
import { drawLane } from "./lanes.js";
import { History } from "./memory.js";
import { element, reasonOf } from "./now.js";
import { className, clock, percentOf, sensorTitle, titleInside } from "./words.js";

const $ = (selector) => document.querySelector(selector);
const LEAST_TOKENS = 24;
const DRAG_PX = 6;
const ZOOM = 1.6;

export class Timeline {
  #bundle;
  #tokenS;
  #view;
  #onRange;
  #charts;
  #lanes;
  #history;
  #marks = [];
  #lengthS = 600;
  #endS = null; // null: follows the newest token
  #span = [0, 1];
  #cursorS = null;
  #range = null; // what is being marked, [from, to] in s
  #isDrawn = false;

  /** `view(decision)` is what is shown of it; `onRange([from, to] | null)` is told what is chosen to be marked. */
  constructor(bundle, view, onRange) {
    this.#bundle = bundle;
    this.#tokenS = bundle.frontEnd.token_s;
    this.#view = view;
    this.#onRange = onRange;
    this.#history = new History(bundle.modalities.length);
    this.#make();
    $("#plot").onpointerdown = (event) => this.#press(event);
    $("#plot").onpointermove = (event) => !this.#range && this.#point(this.#timeAt(event));
    $("#plot").onpointerleave = () => this.#point(null);
    $("#plot").onkeydown = (event) => this.#key(event);
    $("#plot").onwheel = (event) => this.#wheel(event);
    $("#zoom-in").onclick = () => this.#zoom(1 / ZOOM);
    $("#zoom-out").onclick = () => this.#zoom(ZOOM);
    $("#follow").onclick = () => this.follow();
  }

  /** Show a session: its History, and marks [{label, startS, stopS}]. */
  show(history, marks) {
    this.#history = history;
    this.#marks = marks;
    this.draw();
  }

  /** Show so many of the newest seconds. */
  set lengthS(value) {
    this.#lengthS = value;
    this.follow();
  }

  /** Follow the newest token again. */
  follow() {
    this.#endS = null;
    this.draw();
  }

  choose(range) {
    this.#range = range;
    this.#place($("#band"), range);
    this.#onRange(range);
  }

  draw() {
    const lastS = this.#history.length * this.#tokenS;
    $("#history-empty").hidden = lastS > 0;
    $("#plot").hidden = $("#timeline-hint").hidden = $("#class-legend").hidden = lastS === 0;
    $("#follow").disabled = this.#endS === null;
    if (!lastS) return;
    this.#span = span(this.#endS ?? lastS, this.#lengthS, LEAST_TOKENS * this.#tokenS);
    const { every_tokens: everyTokens } = this.#bundle.manifest.decision;
    for (const { task, classes, canvas } of this.#charts) {
      drawChances(canvas, this.#history, this.#view, task, classes, this.#tokenS, everyTokens, this.#span, clock, this.#marks);
      canvas.setAttribute("aria-label", this.#describe(task, classes));
    }
    this.#lanes.forEach(({ name, canvas, share }, m) => {
      const measured = drawLane(canvas, this.#history, m, this.#tokenS, this.#span);
      share.textContent = percentOf(measured);
      const [from, to] = this.#span.map(clock);
      const words = { sensor: sensorTitle(name), from, to, share: Math.round(100 * measured) };
      canvas.setAttribute("aria-label", t("presenceOf", words));
    });
    $("#plot").setAttribute("aria-valuemax", String(Math.round(lastS)));
    this.#place($("#band"), this.#range);
    this.#point(this.#cursorS);
  }

  #describe(task, classes) {
    const newest = [...this.#history.decisions()].at(-1);
    const values = newest && this.#view(newest).probabilities[task];
    const now = values ? classes.map((name) => `${className(name)} ${percentOf(values[name])}`).join(", ") : t("none");
    const [from, to] = this.#span.map(clock);
    return t("timeline", { task, from, to, now });
  }

  #make() {
    const { tasks } = this.#bundle.manifest.decision,
      several = Object.keys(tasks).length > 1;
    this.#charts = Object.entries(tasks).map(([task, classes]) => ({ task, classes, canvas: picture() }));
    $("#chances").replaceChildren(
      ...this.#charts.flatMap(({ task, canvas }) => (several ? [element("h3", "", task), canvas] : [canvas])),
    );
    this.#lanes = this.#bundle.modalities.map(({ name }) => ({ name, canvas: picture(), share: element("span") }));
    const rows = this.#lanes.map(({ name, canvas, share }) => {
      const row = element("div", "lane-row"),
        title = element("p", "", sensorTitle(name));
      title.append(share);
      row.append(title, canvas);
      return row;
    });
    $("#lanes").replaceChildren(...rows);
    const names = new Map(Object.values(tasks).flatMap((classes) => classes.map((name, k) => [name, k])));
    $("#class-legend").replaceChildren(
      ...[...names].map(([name, k]) => key(className(name), (item) => (item.style.background = colour(`class${k % 6}`)))),
      key(t("faded"), (item) => (item.className = "pale")),
      key(t("hatched"), (item) => (item.className = "imputed")),
    );
  }

  #press(event) {
    if (event.button !== 0) return;
    const plot = $("#plot"),
      startX = event.clientX,
      startS = this.#timeAt(event);
    let isDrag = false;
    const move = (moved) => {
      isDrag ||= Math.abs(moved.clientX - startX) > DRAG_PX;
      if (isDrag) this.choose(this.#tokens(startS, this.#timeAt(moved)));
    };
    const up = (ended) => {
      plot.removeEventListener("pointermove", move);
      if (!isDrag) this.#pick(this.#timeAt(ended));
    };
    plot.setPointerCapture(event.pointerId);
    plot.addEventListener("pointermove", move);
    plot.addEventListener("pointerup", up, { once: true });
    plot.addEventListener("pointercancel", () => plot.removeEventListener("pointermove", move), { once: true });
  }

  #key(event) {
    const step = { ArrowLeft: -this.#tokenS, ArrowRight: this.#tokenS }[event.key];
    if (step) {
      const from = this.#cursorS ?? this.#span[1] - this.#tokenS,
        to = Math.min(Math.max(from + step, 0), this.#history.length * this.#tokenS);
      if (event.shiftKey) this.choose(this.#grown(from, to));
      this.#point(to);
      this.#pick(to);
    } else if (event.key === "+" || event.key === "-") this.#zoom(event.key === "+" ? 1 / ZOOM : ZOOM);
    else if (event.key === "Escape") this.choose(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** What is chosen, with one end moved from a time to another. */
  #grown(from, to) {
    if (!this.#range) return this.#tokens(from, to);
    const [low, high] = this.#range;
    return Math.abs(from - low) < Math.abs(from - high) ? this.#tokens(to, high) : this.#tokens(low, to);
  }

  /** Ctrl and the wheel (or two fingers) zoom, a sideways wheel moves. */
  #wheel(event) {
    const [from, to] = this.#span;
    if (event.ctrlKey) this.#zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, this.#timeAt(event));
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.#move(to + ((to - from) * event.deltaX) / 600);
    else return;
    event.preventDefault();
  }

  #zoom(factor, aboutS = this.#cursorS ?? this.#span[1]) {
    const [from, to] = this.#span,
      share = (aboutS - from) / (to - from);
    this.#lengthS = Math.max(LEAST_TOKENS * this.#tokenS, (to - from) * factor);
    if (this.#endS !== null || share < 1) this.#move(aboutS + (1 - share) * this.#lengthS);
    else this.draw();
  }

  #move(endS) {
    const lastS = this.#history.length * this.#tokenS;
    this.#endS = endS >= lastS ? null : Math.max(endS, Math.min(this.#lengthS, lastS));
    this.draw();
  }

  #timeAt({ clientX }) {
    const { left, width } = $("#plot").getBoundingClientRect(),
      [from, to] = this.#span;
    return from + (Math.min(Math.max(clientX - left, 0), width) / width) * (to - from);
  }

  /** Two times as whole tokens, in order. */
  #tokens(a, b) {
    const ends = [Math.min(a, b), Math.max(a, b)].map((time) => Math.round(time / this.#tokenS) * this.#tokenS);
    return ends[0] === ends[1] ? [ends[0], ends[0] + this.#tokenS] : ends;
  }

  #place(box, range) {
    box.hidden = !range;
    if (!range) return;
    const [from, to] = this.#span,
      share = (time) => Math.min(Math.max((time - from) / (to - from), 0), 1);
    box.style.left = `${100 * share(range[0])}%`;
    box.style.width = `${100 * (share(range[1]) - share(range[0]))}%`;
  }

  /** The cursor and what it points at. */
  #point(timeS) {
    this.#cursorS = timeS;
    const [from, to] = this.#span,
      isInside = timeS !== null && timeS >= from && timeS <= to;
    $("#cursor").hidden = $("#tip").hidden = !isInside;
    if (!isInside) return;
    const share = (timeS - from) / (to - from);
    $("#cursor").style.left = `${100 * share}%`;
    $("#tip").style.left = `${100 * share}%`;
    $("#tip").className = share > 0.5 ? "left" : "";
    const words = this.#words(timeS);
    $("#tip").textContent = words.slice(0, 2).join(" · ");
    $("#plot").setAttribute("aria-valuenow", String(Math.round(timeS)));
    $("#plot").setAttribute("aria-valuetext", words.join(", "));
  }

  #pick(timeS) {
    $("#pick").textContent = this.#words(timeS).join(" · ");
  }

  /** All there is to say of a time, shortest first. */
  #words(timeS) {
    const number = Math.min(Math.floor(timeS / this.#tokenS), this.#history.length - 1),
      made = this.#history.decision(number),
      decision = made && this.#view(made);
    const classes = Object.entries(decision?.probabilities ?? {}).map(
      ([task, values]) => `${className(decision.classes[task])} ${percentOf(values[decision.classes[task]])}`,
    );
    const absent = this.#bundle.modalities.filter((_, m) => !this.#history.token(number, m).present),
      mark = this.#marks.find(({ startS, stopS }) => timeS >= startS && timeS < stopS);
    return [
      clock(timeS),
      classes.join(", ") || t("none"),
      mark ? t("marked", { label: className(mark.label) }) : "",
      absent.length ? t("without", { names: absent.map(({ name }) => titleInside(name)).join(", ") }) : "",
      decision ? reasonOf(decision).replace(/\.$/, "") : "",
    ].filter(Boolean);
  }
}

function picture() {
  const canvas = element("canvas");
  canvas.setAttribute("role", "img");
  return canvas;
}

function key(text, paint) {
  const item = element("i"),
    label = element("span");
  paint(item);
  label.append(item, text);
  return label;
}
