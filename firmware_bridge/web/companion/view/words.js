// SPDX-License-Identifier: Apache-2.0
// words.js: names and numbers as people read them.
export const SENSOR_TITLES = {
  ppg: "Pulse wave",
  eda: "Skin conductance",
  temp: "Skin temperature",
  acc: "Movement",
  ecg: "Heart (ECG)",
  eeg: "Brain waves",
  eog: "Eye movement",
  emg: "Muscle activity",
  resp: "Breathing",
};

const UNITS = { degC: "°C", uS: "µS", uV: "µV" };
export const unitWords = (unit) => UNITS[unit] ?? unit;

const REASONS = {
  lost: "no signal",
  range: "out of range",
  lead_off: "lead off",
  saturated: "saturated",
  flat: "flat",
  step: "a jump",
  weak: "too weak: is it attached?",
  strong: "too strong",
  kurtosis: "no heartbeat stands out",
  band: "no pulse in its band",
  irregular: "no regular pulse",
  skewed: "not the shape of a pulse",
  unjudged: "too little to judge yet",
  rate: "another rate than expected",
};

/** A sensor's name inside a sentence. */
const titleInside = (name) => SENSOR_TITLES[name][0].toLowerCase() + SENSOR_TITLES[name].slice(1);

const LOST = 1; // MMQ_WHY_LOST

/** What a lane shows of a token: "measured", "imputed" (nothing came) or "faulty" (what came was not fit). */
export function laneState(present, reasonBits) {
  if (present) return "measured";
  return reasonBits & ~LOST ? "faulty" : "imputed";
}

/** The same in words, with the reason. */
export function stateWords(state, reasons, isOff) {
  if (isOff) return "switched off: imputed by the model";
  if (state === "measured") return "measured";
  const why = reasons.filter((name) => state === "imputed" || name !== "lost").map((name) => REASONS[name]);
  return `${state === "faulty" ? "faulty" : "imputed"}: ${why.join(", ") || "no signal"}`;
}

/** Minutes and seconds, with hours where there are any. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((value) => String(value).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${parts.join(":")}` : parts.join(":");
}

export const percentOf = (share) => `${Math.round(100 * share)} %`;

const counted = (points) => `${points} point${points === 1 ? "" : "s"}`;

/** What hiding a sensor changes, in a sentence of its own. */
export function restedWords(change, best) {
  if (change === null) return "not judged: nothing of it, or nothing else, is there";
  const points = Math.round(Math.abs(100 * change));
  if (points === 0) return `hardly matters for “${best}”`;
  return change > 0
    ? `speaks for “${best}”: ${counted(points)}`
    : `speaks against “${best}”: ${counted(points)}`;
}

/** Which sensors a decision rested on most, in one sentence; empty where none was judged or none mattered. */
export function restedMost(rested, best) {
  const speak = Object.entries(rested)
    .filter(([, change]) => Math.round(100 * change) > 0)
    .sort(([, a], [, b]) => b - a);
  const words = speak.map(([name, change]) => `${titleInside(name)} (${counted(Math.round(100 * change))})`);
  return words.length ? `“${best}” rests on ${words.join(", ")}.` : "";
}
