// SPDX-License-Identifier: Apache-2.0
// words.js: names and numbers as people read them.
import { named, t } from "../strings.js";

const UNITS = { degC: "°C", uS: "µS", uV: "µV" };
export const unitWords = (unit) => UNITS[unit] ?? unit;

export const sensorTitle = (name) => named("sensor", name);
export const className = (name) => named("class", name);
export const whyWords = (name) => named("why", name);

/** A sensor's name inside a sentence: German nouns keep their capital. */
export const titleInside = (name) =>
  document.documentElement.lang === "de" ? sensorTitle(name) : sensorTitle(name)[0].toLowerCase() + sensorTitle(name).slice(1);

const LOST = 1; // MMQ_WHY_LOST

/** What a lane shows of a token: "measured", "imputed" (nothing came) or "faulty" (what came was not fit). */
export function laneState(present, reasonBits) {
  if (present) return "measured";
  return reasonBits & ~LOST ? "faulty" : "imputed";
}

/** The same in words, with the reason. */
export function stateWords(state, reasons, isOff) {
  if (isOff) return t("stateOff");
  if (state === "measured") return t("stateMeasured");
  const why = reasons.filter((name) => state === "imputed" || name !== "lost").map(whyWords);
  return t(state === "faulty" ? "stateFaulty" : "stateImputed", { why: why.join(", ") || t("noSignal") });
}

/** Minutes and seconds, with hours where there are any. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((value) => String(value).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${parts.join(":")}` : parts.join(":");
}

/** A length of time in words. */
export function lengthWords(seconds) {
  const whole = Math.max(1, Math.round(seconds)),
    minutes = Math.floor(whole / 60);
  if (!minutes) return `${whole} s`;
  return whole % 60 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
}

export const percentOf = (share) => `${Math.round(100 * share)} %`;

const counted = (points) => (points === 1 ? t("point") : t("points", { n: points }));

/** What hiding a sensor changes, in a sentence of its own. */
export function restedWords(change, best) {
  if (change === null) return t("notJudged");
  const points = Math.round(Math.abs(100 * change)),
    name = className(best);
  if (points === 0) return t("hardly", { best: name });
  return t(change > 0 ? "speaksFor" : "speaksAgainst", { best: name, points: counted(points) });
}

/** Which sensors a decision rested on most, in one sentence; empty where none was judged or none mattered. */
export function restedMost(rested, best) {
  const speak = Object.entries(rested)
    .filter(([, change]) => Math.round(100 * change) > 0)
    .sort(([, a], [, b]) => b - a);
  const words = speak.map(([name, change]) => `${titleInside(name)} (${counted(Math.round(100 * change))})`);
  return words.length ? t("rests", { best: className(best), words: words.join(", ") }) : "";
}
