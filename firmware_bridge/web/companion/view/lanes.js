// SPDX-License-Identifier: Apache-2.0
// lanes.js: what was there, a column a token: measured full and solid, imputed low and hatched, faulty low and solid.
// Where tokens are narrower than that, a column shows their shares: measured from below, then faulty, then imputed.
import { colour, fit, hatch } from "./canvas.js";
import { laneState } from "./words.js";

const LEAST_PX = 2;
const GAP_FROM_PX = 4;
const STATES = ["measured", "faulty", "imputed"];

/** Draw one sensor's lane over a span of time [fromS, toS]; the share of it that was measured. */
export function drawLane(canvas, history, modality, tokenS, [fromS, toS]) {
  const share = shareOf(history, modality, tokenS, [fromS, toS]),
    place = fit(canvas);
  if (!place) return share;
  const { context, width, height } = place;
  const together = Math.max(1, Math.ceil((LEAST_PX * (toS - fromS)) / (width * tokenS)));
  const x = (number) => Math.round(((number * tokenS - fromS) / (toS - fromS)) * width);
  const fill = (state) => (state === "imputed" ? hatch(context, state) : colour(state));
  const first = Math.max(history.first, Math.floor(fromS / tokenS / together) * together);
  for (let number = first; number < Math.min(history.length, Math.ceil(toS / tokenS)); number += together) {
    const last = Math.min(number + together, history.length);
    const counts = Object.fromEntries(STATES.map((state) => [state, 0]));
    for (let token = number; token < last; token++) counts[stateOf(history, token, modality)] += 1;
    const left = x(number),
      wide = x(last) - left;
    let bottom = height;
    for (const state of STATES) {
      const low = together === 1 && state !== "measured" ? 0.5 : 1;
      const high = (height * low * counts[state]) / (last - number);
      context.fillStyle = fill(state);
      context.fillRect(left, bottom - high, wide > GAP_FROM_PX ? wide - 1 : wide, high);
      bottom -= high;
    }
  }
  return share;
}

function shareOf(history, modality, tokenS, [fromS, toS]) {
  const first = Math.max(history.first, Math.floor(fromS / tokenS)),
    last = Math.min(history.length, Math.ceil(toS / tokenS));
  let present = 0;
  for (let number = first; number < last; number++) present += history.token(number, modality).present;
  return present / Math.max(1, last - first);
}

function stateOf(history, number, modality) {
  const { present, bits } = history.token(number, modality);
  return laneState(present, bits);
}
