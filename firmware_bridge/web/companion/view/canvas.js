// SPDX-License-Identifier: Apache-2.0
// canvas.js: what every drawing needs: sharp pixels, the page's colours, a hatch.

/** Fit a canvas to its box and return its context and size in CSS pixels, cleared; null while it is not shown. */
export function fit(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  if (!width) return null;
  const ratio = window.devicePixelRatio || 1;
  const wide = Math.round(width * ratio),
    high = Math.round(height * ratio);
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

let colours = null;
const hatches = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  colours = null;
  hatches.clear();
});

/** A colour of the style sheet by the name of its variable. */
export function colour(name) {
  colours ??= getComputedStyle(document.documentElement);
  return colours.getPropertyValue(`--${name}`).trim();
}

/** A fill of diagonal lines in a colour of the style sheet. */
export function hatch(context, name) {
  if (!hatches.has(name)) {
    const size = 6,
      tile = document.createElement("canvas");
    tile.width = tile.height = size;
    const pen = tile.getContext("2d");
    pen.strokeStyle = colour(name);
    pen.lineWidth = 1.5;
    pen.beginPath();
    for (const shift of [-size, 0, size]) {
      pen.moveTo(shift, size);
      pen.lineTo(shift + size, 0);
    }
    pen.stroke();
    hatches.set(name, context.createPattern(tile, "repeat"));
  }
  return hatches.get(name);
}

/** The span of time shown, in s: [from, to]; at least `leastS` long. */
export function span(endS, lengthS, leastS) {
  const to = Math.max(endS, leastS);
  return [Math.max(0, to - Math.max(lengthS, leastS)), to];
}
