// SPDX-License-Identifier: Apache-2.0
// chances.js: the class probabilities of one task over time, a column a decision; abstentions pale, or hatched.
import { colour, fit, hatch } from "./canvas.js";

const AXIS = 18;
const STRIP = 5;
const MARK = 9;
const UNKNOWN = 0.4; // no decision is no event: it stands back
const TICKS_S = [10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400];
const TICK_PX = 70;

/** Draw a task's probabilities over a span of time, of decisions as `view` shows them. */
export function drawChances(canvas, history, view, task, classes, tokenS, everyTokens, [fromS, toS], clock, marks) {
  const place = fit(canvas);
  if (!place) return;
  const { context, width, height } = place;
  const plot = height - AXIS,
    column = everyTokens * tokenS;
  const x = (seconds) => ((seconds - fromS) / (toS - fromS)) * width;
  for (let number = Math.max(history.first, Math.floor(fromS / tokenS)); number < Math.min(history.length, Math.ceil(toS / tokenS)); number++) {
    const decision = history.decision(number);
    if (!decision) continue;
    const left = Math.round(x(decision.time_s - column)),
      wide = Math.max(Math.round(x(decision.time_s)) - left, 1);
    drawColumn(context, view(decision), task, classes, { left, wide: wide > 4 ? wide - 1 : wide, plot });
  }
  drawMarks(context, marks, classes, x);
  drawAxis(context, { width, plot, x, fromS, toS, clock });
}

function drawColumn(context, decision, task, classes, { left, wide, plot }) {
  const values = decision.probabilities[task];
  if (!values) {
    context.globalAlpha = UNKNOWN;
    context.fillStyle = hatch(context, "imputed");
    context.fillRect(left, 0, wide, plot);
    context.globalAlpha = 1;
    return;
  }
  let bottom = plot;
  context.globalAlpha = decision.abstained ? 0.32 : 1;
  classes.forEach((name, k) => {
    const high = values[name] * plot;
    context.fillStyle = colour(`class${k % 6}`);
    context.fillRect(left, bottom - high, wide, high);
    bottom -= high;
  });
  context.globalAlpha = 1;
  if (!decision.abstained) return;
  context.fillStyle = colour("muted");
  context.fillRect(left, plot - STRIP, wide, STRIP);
}

/** The wearer's marks along the top edge, in the class's colour on a strip of paper. */
function drawMarks(context, marks, classes, x) {
  for (const { label, startS, stopS } of marks) {
    const k = classes.indexOf(label);
    if (k < 0) continue;
    context.fillStyle = colour("paper");
    context.fillRect(x(startS), 0, x(stopS) - x(startS), MARK + 2);
    context.fillStyle = colour(`class${k % 6}`);
    context.fillRect(x(startS) + 1, 0, Math.max(x(stopS) - x(startS) - 2, 2), MARK);
  }
}

function drawAxis(context, { width, plot, x, fromS, toS, clock }) {
  context.strokeStyle = colour("paper");
  context.setLineDash([3, 3]);
  context.beginPath();
  context.moveTo(0, plot / 2);
  context.lineTo(width, plot / 2);
  context.stroke();
  context.setLineDash([]);
  context.fillStyle = colour("muted");
  context.font = "12px system-ui, sans-serif";
  const step = TICKS_S.find((tick) => x(fromS + tick) > TICK_PX) ?? TICKS_S.at(-1);
  for (let tick = Math.ceil(fromS / step) * step; tick <= toS; tick += step) {
    const at = x(tick),
      label = clock(tick);
    const { width: wide } = context.measureText(label);
    if (at + wide / 2 > width) continue;
    context.fillText(label, Math.max(0, at - wide / 2), plot + 14);
  }
}
