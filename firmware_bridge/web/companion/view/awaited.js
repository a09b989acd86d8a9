// SPDX-License-Identifier: Apache-2.0
// awaited.js: what is awaited before the first decision: how far each sensor's enrolment is, and how long it takes yet.
import { t } from "../strings.js";
import { element } from "./now.js";
import { lengthWords, sensorTitle, stateWords } from "./words.js";

const $ = (selector) => document.querySelector(selector);

/**
 * Say what is awaited; null: nothing. `enrolment` is {measured, left} of the newest token, `filled` the tokens since it
 * ended, `states` by sensor {state, why, isOff}, `speed` times real time, 0 without one.
 */
export function showAwaited(awaited, bundle, tokenS) {
  $("#awaited").hidden = !awaited;
  if (!awaited) return;
  const { enrolment, filled, states, speed } = awaited,
    { enrolmentTokens: aim, tokens } = bundle,
    isEnrolling = enrolment.left > 0;
  const leftS = (isEnrolling ? enrolment.left + tokens : Math.max(1, tokens - filled)) * tokenS;
  $("#awaited-title").textContent = t(isEnrolling ? "enrolTitle" : "fillTitle");
  $("#awaited-text").textContent = isEnrolling
    ? t("enrolText", { aim: lengthWords(aim * tokenS) })
    : t("fillText", { window: lengthWords(tokens * tokenS) });
  const first = speed ? t("firstIn", { time: lengthWords(leftS / speed) }) : "";
  $("#awaited-first").textContent = speed > 1 ? `${first} ${t("firstAt")}.` : first && `${first}.`;
  const rows = bundle.modalities.map(({ name }) => {
    const share = isEnrolling ? Math.min(1, enrolment.measured[name] / aim) : Math.min(1, filled / tokens);
    return row(name, share, states[name]);
  });
  $("#awaited-sensors").replaceChildren(...rows);
}

function row(name, share, { state, why, isOff }) {
  const line = element("div", `progress ${state}`),
    track = element("div"),
    bar = element("i");
  bar.style.width = `${100 * share}%`;
  track.append(bar);
  track.setAttribute("role", "progressbar");
  track.setAttribute("aria-label", sensorTitle(name));
  track.setAttribute("aria-valuenow", String(Math.round(100 * share)));
  line.append(element("b", "", sensorTitle(name)), track, element("span", "", `${Math.round(100 * share)} %`));
  if (state !== "measured") line.append(element("small", "", stateWords(state, why, isOff)));
  return line;
}
