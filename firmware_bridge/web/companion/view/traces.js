// SPDX-License-Identifier: Apache-2.0
// traces.js: a sensor's newest samples.
import { colour, fit } from "./canvas.js";

const PAD = 5;
export const MAX_ROWS = 4;
const COLOURS = ["trace", "trace2", "trace3"];

/**
 * Draw the last `seconds` of a trace that ends at `endS`; the scale spans at least twice `leastHalf`. Channels that
 * share a scale lie over each other, others (`isStacked`) one under the other.
 */
export function drawTrace(canvas, trace, { seconds, endS, leastHalf, isStacked }) {
  const place = fit(canvas);
  if (!place) return;
  const { context, width, height } = place;
  const last = Math.floor(endS * trace.rateHz);
  const step = Math.max(1, Math.floor((seconds * trace.rateHz) / width));
  const first = Math.ceil((last - seconds * trace.rateHz) / step) * step; // whole steps: no shimmer while it moves
  const rows = Array.from({ length: Math.min(trace.channels, MAX_ROWS) }, (_, row) => row);
  const band = isStacked ? height / rows.length : height;
  const x = (index) => ((index / trace.rateHz - endS + seconds) / seconds) * width;
  context.lineWidth = 1.6;
  context.lineJoin = "bevel";
  for (const row of rows) {
    const [low, high] = extent(trace, isStacked ? [row] : rows, first, last);
    const middle = (low + high) / 2;
    const scale = (band / 2 - (isStacked ? 1 : PAD)) / Math.max((high - low) / 2, leastHalf);
    const centre = isStacked ? (row + 0.5) * band : height / 2;
    context.strokeStyle = colour(COLOURS[row % COLOURS.length]);
    strokeRow(context, trace, row, { first, last, step, x, y: (value) => centre - (value - middle) * scale });
  }
}

/** The newest value of the first channel, or null. */
export function newest(trace, endS) {
  const last = Math.floor(endS * trace.rateHz);
  for (let index = last; index > last - 2 * trace.rateHz - 2; index--) {
    const value = trace.at(0, index);
    if (Number.isFinite(value)) return value;
  }
  return null;
}

/** One line; where several samples share a pixel, from their least to their most. */
function strokeRow(context, trace, row, { first, last, step, x, y }) {
  context.beginPath();
  let isDown = false;
  for (let index = first; index <= last; index += step) {
    const [low, high] = extent(trace, [row], index, Math.min(index + step - 1, last));
    if (high >= low) {
      context[isDown ? "lineTo" : "moveTo"](x(index), y(low));
      if (high > low) context.lineTo(x(index), y(high));
    }
    isDown = high >= low;
  }
  context.stroke();
}

/** Least and most of some rows; the wrong way round where there is nothing. */
function extent(trace, rows, first, last) {
  let low = Infinity;
  let high = -Infinity;
  for (const row of rows) {
    for (let index = first; index <= last; index++) {
      const value = trace.at(row, index);
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}
