// SPDX-License-Identifier: Apache-2.0
// sensor.js: one sensor's card: its trace, its switch, and what the decision rested on.
import { Trace } from "./memory.js";
import { drawTrace, MAX_ROWS, newest } from "./traces.js";
import { t } from "../strings.js";
import { laneState, restedWords, sensorTitle, stateWords, unitWords } from "./words.js";

const FAST_S = 12,
  SLOW_S = 120;
const SLOW = new Set(["eda", "temp"]);
const LEAST_HALF = { eda: 0.05, temp: 0.15, acc: 0.1 }; // less is noise: it shall not fill the height
const HALF_SCALE = 0.5; // a change of probability that fills half the scale

export class SensorCard {
  #parts;
  #modality;
  #index;
  #state = "imputed";
  #why = [];
  #seconds;

  /** `onSwitch(name, isOn)` is called when the switch is used; `key` is its key on the keyboard. */
  constructor(modality, index, onSwitch) {
    const card = document.querySelector("#sensor-template").content.cloneNode(true).firstElementChild;
    const find = (selector) => card.querySelector(selector);
    this.#parts = {
      card,
      title: find("h3"),
      button: find("button"),
      mark: find(".state i"),
      words: find(".state span"),
      trace: find(".trace"),
      value: find(".state small"),
      bar: find(".scale i"),
      scale: find(".scale"),
      rested: find(".rested .words"),
    };
    this.#modality = modality;
    this.#index = index;
    this.#seconds = SLOW.has(modality.name) ? SLOW_S : FAST_S;
    this.trace = new Trace(modality, this.#seconds);
    this.isOn = true;
    const title = sensorTitle(modality.name);
    card.dataset.sensor = modality.name;
    this.#parts.title.append(
      title,
      " ",
      Object.assign(document.createElement("small"), { textContent: modality.name.toUpperCase() }),
    );
    this.#parts.button.setAttribute("aria-label", t("on", { sensor: title }));
    this.#parts.button.title = t("switch", { key: index + 1 });
    this.#parts.button.addEventListener("click", () => {
      this.setOn(!this.isOn);
      onSwitch(modality.name, this.isOn);
    });
    this.#say([]);
    this.setRested(null, null);
  }

  /** The same card in the words of another language: with the trace it has. */
  copy(onSwitch) {
    const card = new SensorCard(this.#modality, this.#index, onSwitch);
    card.trace = this.trace;
    card.#state = this.#state;
    card.#why = this.#why;
    card.#say(this.#why);
    return card;
  }

  get element() {
    return this.#parts.card;
  }

  press() {
    this.#parts.button.click();
  }

  setOn(isOn) {
    this.isOn = isOn;
    this.#parts.button.setAttribute("aria-checked", String(isOn));
    this.#parts.card.classList.toggle("off", !isOn);
  }

  /** Take a token: what the newest one says of this sensor. */
  setToken({ presence, reasons, why }) {
    this.#state = laneState(presence[this.#index] === 1, reasons[this.#index]);
    this.#why = why[this.#index];
    this.#say(this.#why);
  }

  /** What the newest token says, for who tells it elsewhere: {state, why, isOff}. */
  get standing() {
    return { state: this.#state, why: this.#why, isOff: !this.isOn };
  }

  /** Take a decision's change by hiding this sensor (null: not judged) and the class it is about. */
  setRested(change, best) {
    const { bar, scale, rested } = this.#parts;
    rested.textContent = best === null ? "" : restedWords(change, best);
    scale.hidden = change === null;
    const wide = Math.min(Math.abs(change ?? 0) / HALF_SCALE, 1) * 50;
    bar.className = change < 0 ? "against" : "";
    bar.style.width = `${wide}%`;
    bar.style.left = change < 0 ? `${50 - wide}%` : "50%";
  }

  /** Draw the trace, which ends at `nowS`. */
  drawTrace(nowS) {
    const { name } = this.#modality;
    drawTrace(this.#parts.trace, this.trace, {
      seconds: this.#seconds,
      endS: nowS,
      leastHalf: LEAST_HALF[name] ?? 1e-3,
      isStacked: this.trace.channels > 1 && name !== "acc",
    });
    const value = newest(this.trace, nowS);
    const { unit, names } = this.#modality;
    const left = names.length > MAX_ROWS ? `${t("channels", { some: MAX_ROWS, all: names.length })} · ` : "";
    const channel = names.length > 1 ? `${names[0]} ` : "";
    const reading = value === null ? "" : `${channel}${readable(value)} ${unitWords(unit)} · `;
    this.#parts.value.textContent = `${reading}${left}${t("last", { seconds: this.#seconds })}`;
  }

  #say(names) {
    const words = stateWords(this.#state, names, !this.isOn && this.#state !== "measured");
    if (this.#parts.words.textContent !== words) this.#parts.words.textContent = words;
    this.#parts.mark.className = this.#state;
    this.#parts.card.dataset.state = this.#state;
    this.#parts.trace.setAttribute(
      "aria-label",
      t("newest", { sensor: sensorTitle(this.#modality.name), state: words }),
    );
  }
}

const readable = (value) => value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2).replace("-", "−");
