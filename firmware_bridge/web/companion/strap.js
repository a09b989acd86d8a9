// SPDX-License-Identifier: Apache-2.0
// strap.js: a Bluetooth heart-rate strap (GATT service 0x180D, Heart Rate Service 1.0).
import { Problem } from "./problem.js";
import { ecgAt } from "./simulator.js";

const SERVICE = "heart_rate";
const MEASUREMENT = "heart_rate_measurement";
const FLAG = { wide: 1, contact: 2, contactKnown: 4, energy: 8, intervals: 16 };
const TICKS_PER_S = 1024;
const MEMORY_S = 60;
const MIN_INTERVALS = 10;

/** One notification: heart rate in beats/min, contact (null: the strap does not say), beat intervals in s. */
export function parseMeasurement(view) {
  const need = (bytes) => {
    if (view.byteLength < bytes)
      throw new Problem("strapShort");
  };
  need(2);
  const flags = view.getUint8(0);
  let at = flags & FLAG.wide ? 3 : 2;
  need(at);
  const heartRate = flags & FLAG.wide ? view.getUint16(1, true) : view.getUint8(1);
  if (flags & FLAG.energy) at += 2;
  need(at);
  const intervals = [];
  for (; flags & FLAG.intervals && at + 2 <= view.byteLength; at += 2) {
    intervals.push(view.getUint16(at, true) / TICKS_PER_S);
  }
  return { heartRate, contact: flags & FLAG.contactKnown ? Boolean(flags & FLAG.contact) : null, intervals };
}

/** Root mean square of the successive differences of beat intervals, in ms; null while there are too few. */
export function rmssd(intervals) {
  if (intervals.length < MIN_INTERVALS) return null;
  const squares = intervals.slice(1).map((value, i) => (value - intervals[i]) ** 2);
  return 1000 * Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length);
}

const DELAY_S = 3; // a strap tells of a beat some time after it
const LONGEST_BEAT_S = 2.5;
const KEPT_BEATS = 64;

/**
 * A strap as the source of an ECG that is drawn from the times between its beats, DELAY_S late: what no beat was told
 * of is lost. `clockS()` is the real time in s.
 */
export class StrapSource {
  #beats = [];
  #modality;
  #clockS;
  #startS;
  simulated = false;
  durationS = Infinity;
  isLive = true;

  constructor(name, modality, clockS = () => performance.now() / 1000) {
    this.name = name;
    this.sensors = [modality.name];
    this.#modality = modality;
    this.#clockS = clockS;
    this.#startS = clockS();
    this.startedUnixS = Date.now() / 1000;
  }

  /** Intervals of a notification: their beats ended just now. Where some were lost, a gap stays. */
  take(intervals) {
    const nowS = this.#clockS() - this.#startS,
      lengthS = intervals.reduce((a, b) => a + b, 0);
    let atS = this.#beats.at(-1) ?? nowS - lengthS;
    if (Math.abs(atS + lengthS - nowS) > DELAY_S / 2) atS = nowS - lengthS;
    for (const interval of intervals) this.#beats.push((atS += interval));
    this.#beats.splice(0, this.#beats.length - KEPT_BEATS);
  }

  /** An ECG in the modality's unit at a time after the source's start; NaN where no beat was told of. */
  at(timeS) {
    const next = this.#beats.findIndex((beat) => beat > timeS),
      [from, to] = [this.#beats[next - 1], this.#beats[next]];
    if (next < 1 || to - from > LONGEST_BEAT_S) return NaN;
    return ecgAt((timeS - from) / (to - from)) * (this.#modality.unit === "uV" ? 1000 : 1);
  }

  *steps() {
    const { name, rateHz } = this.#modality;
    for (let second = 0; ; second++) {
      const frames = Math.round(rateHz),
        samples = Float32Array.from({ length: frames }, (_, i) => this.at(second - DELAY_S + i / rateHz));
      yield { nowS: second + 1, chunks: [{ name, samples, frames, timeS: second }] };
    }
  }
}

/** A connected strap; `onState({connected, name, heartRate, contact, rmssdMs, intervals})` is called with each notification. */
export class Strap {
  #device;
  #onState;
  #intervals = [];

  constructor(onState) {
    this.#onState = onState;
  }

  async connect(bluetooth = navigator.bluetooth) {
    if (!bluetooth)
      throw new Problem("noBluetooth");
    try {
      this.#device = await bluetooth.requestDevice({ filters: [{ services: [SERVICE] }] });
      const server = await this.#device.gatt.connect();
      const service = await server.getPrimaryService(SERVICE);
      const measurement = await service.getCharacteristic(MEASUREMENT);
      measurement.addEventListener("characteristicvaluechanged", ({ target }) => this.#take(target.value));
      this.#device.addEventListener("gattserverdisconnected", () => this.#lost());
      await measurement.startNotifications();
    } catch (error) {
      if (error?.name === "NotFoundError") throw new Problem("noStrap");
      throw new Problem("strapUnreached", { why: error?.message ?? error });
    }
    this.#onState({ connected: true, name: this.#name });
  }

  disconnect() {
    this.#device?.gatt.disconnect();
  }

  get #name() {
    return this.#device?.name || "heart-rate strap";
  }

  #take(view) {
    let measured;
    try {
      measured = parseMeasurement(view);
    } catch {
      return; // one bad notification: the next comes in a second
    }
    if (measured.contact === false) this.#intervals = [];
    this.#intervals.push(...measured.intervals);
    let length = this.#intervals.reduce((a, b) => a + b, 0);
    while (length > MEMORY_S) length -= this.#intervals.shift();
    const { heartRate, contact } = measured;
    const rmssdMs = rmssd(this.#intervals);
    this.#onState({ connected: true, name: this.#name, heartRate, contact, rmssdMs, intervals: measured.intervals });
  }

  #lost() {
    this.#intervals = [];
    this.#onState({ connected: false, name: this.#name });
  }
}
