// SPDX-License-Identifier: Apache-2.0
// e4.js: an Empatica E4 export as signals; the same rules as mmq_tf/datasets/formats/e4.py.
import { content } from "./files.js";
import { Problem } from "./problem.js";

const SENSORS = [
  { file: "BVP.csv", name: "ppg", unit: "a.u.", columns: 1, scale: 1 },
  { file: "EDA.csv", name: "eda", unit: "uS", columns: 1, scale: 1 },
  { file: "TEMP.csv", name: "temp", unit: "degC", columns: 1, scale: 1 },
  { file: "ACC.csv", name: "acc", unit: "g", columns: 3, scale: 1 / 64 },
];
const MAX_FILE_BYTES = 128 * 2 ** 20; // two days, which an E4's battery lasts, are under 100 MiB
const MAX_RATE_HZ = 20_000;
const MAX_START_SPREAD_S = 600;
const MAX_STOP_SPREAD_S = 60;
const PLAIN = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;
const LOST = /^\s*[+-]?nan\s*$/i;

/**
 * Read the signals of an export.
 * @returns {{startedUnixS: number, signals: Map<string, {samples: Float32Array[], rateHz, unit, startS}>}}  by modality
 */
export async function readE4(members) {
  const paths = [...members.keys()].filter((path) => !path.startsWith("__MACOSX/"));
  const found = [];
  const folders = new Set();
  for (const sensor of SENSORS) {
    for (const path of paths.filter((path) => path.split("/").pop() === sensor.file)) {
      folders.add(path.slice(0, -sensor.file.length));
      if (folders.size > 1)
        throw new Problem("severalFolders", { file: sensor.file });
      found.push({ sensor, path, ...parse(path, await content(members, path, MAX_FILE_BYTES), sensor) });
    }
  }
  if (!found.length) {
    throw new Problem("noE4", { files: SENSORS.map(({ file }) => file).join(", ") });
  }
  const origin = Math.min(...found.map(({ start }) => start));
  const signals = found.map(({ sensor, path, start, rateHz, samples }) => [
    sensor.name,
    { samples, rateHz, unit: sensor.unit, startS: start - origin, path },
  ]);
  checkSpread(signals.map(([, signal]) => signal));
  return { startedUnixS: origin, signals: new Map(signals) };
}

/** End of a signal in seconds from the recording's start. */
export const stopOf = ({ samples, rateHz, startS }) => startS + samples[0].length / rateHz;

function parse(path, bytes, { columns, scale }) {
  const text = new TextDecoder("latin1").decode(bytes);
  if (!text.trim())
    throw new Problem("emptyFile", { path });
  if (!text.endsWith("\n")) {
    throw new Problem("noLineEnd", { path });
  }
  const rows = text.split("\n");
  rows.pop();
  if (rows.length < 3)
    throw new Problem("noSamples", { path, row: rows.length });
  const start = header(path, 1, rows[0], columns, "startRow");
  const rateHz = header(path, 2, rows[1], columns, "rateRow");
  if (!(rateHz > 0 && rateHz <= MAX_RATE_HZ)) {
    throw new Problem("badRate", { path, most: MAX_RATE_HZ, got: rateHz });
  }
  const samples = Array.from({ length: columns }, () => new Float32Array(rows.length - 2));
  for (let row = 2; row < rows.length; row++) {
    const parts = columns === 1 ? [rows[row]] : rows[row].split(",");
    for (let column = 0; column < columns; column++) {
      const value = Math.fround(number(parts[column] ?? "")) * scale;
      if (parts.length !== columns || Math.abs(value) === Infinity) bad(path, row, rows[row], columns);
      samples[column][row - 2] = value;
    }
  }
  return { start, rateHz, samples };
}

/** A number as Python reads one: NaN for a lost sample, infinity for what is none. */
function number(text) {
  if (PLAIN.test(text)) return Number(text);
  return LOST.test(text) ? NaN : Infinity;
}

function header(path, row, line, columns, key) {
  const parts = line
    .replace(/^\u00ef\u00bb\u00bf/, "")
    .split(",")
    .map(number);
  if (parts.length !== columns || !Number.isFinite(parts[0]) || parts.some((value) => value !== parts[0])) {
    throw new Problem(columns === 1 ? key : `${key}s`, { path, columns, got: quoted(line) });
  }
  return parts[0];
}

function bad(path, row, line, columns) {
  throw new Problem(columns === 1 ? "oneNumber" : "severalNumbers", { path, row: row + 1, columns, got: quoted(line) });
}

const quoted = (line) => JSON.stringify(line.trim().slice(0, 60));

function checkSpread(signals) {
  const late = signals.reduce((a, b) => (b.startS > a.startS ? b : a));
  if (late.startS > MAX_START_SPREAD_S) {
    throw new Problem("lateStart", { path: late.path, late: late.startS, most: MAX_START_SPREAD_S });
  }
  const last = Math.max(...signals.map(stopOf));
  const short = signals.reduce((a, b) => (stopOf(b) < stopOf(a) ? b : a));
  if (last - stopOf(short) > MAX_STOP_SPREAD_S) {
    throw new Problem("earlyEnd", { path: short.path, early: Math.round(last - stopOf(short)) });
  }
}
