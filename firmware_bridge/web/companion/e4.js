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
        throw new Problem(`Expected one E4 export, found ${sensor.file} in several folders; drop one.`);
      found.push({ sensor, path, ...parse(path, await content(members, path, MAX_FILE_BYTES), sensor) });
    }
  }
  if (!found.length) {
    throw new Problem(
      `Expected one of the E4 files ${SENSORS.map(({ file }) => file).join(", ")}; found none of them.`,
    );
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
    throw new Problem(`${path}: expected a start row, a rate row and samples; the file is empty.`);
  if (!text.endsWith("\n")) {
    throw new Problem(
      `${path}: its last row has no line end, so the file was cut short; copy it again, or leave it out.`,
    );
  }
  const rows = text.split("\n");
  rows.pop();
  if (rows.length < 3)
    throw new Problem(`${path}: expected samples from row 3 on; the file ends after row ${rows.length}.`);
  const start = header(path, 1, rows[0], columns, "a start in Unix seconds");
  const rateHz = header(path, 2, rows[1], columns, "a rate in Hz");
  if (!(rateHz > 0 && rateHz <= MAX_RATE_HZ)) {
    throw new Problem(`${path}: row 2 must be a rate above 0 and at most ${MAX_RATE_HZ} Hz; got ${rateHz}.`);
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

function header(path, row, line, columns, what) {
  const parts = line
    .replace(/^\u00ef\u00bb\u00bf/, "")
    .split(",")
    .map(number);
  if (parts.length !== columns || !Number.isFinite(parts[0]) || parts.some((value) => value !== parts[0])) {
    const times = columns === 1 ? "" : `, the same ${columns} times`;
    throw new Problem(
      `${path}: row ${row} must be ${what}${times}; got ${JSON.stringify(line.trim().slice(0, 60))}.`,
    );
  }
  return parts[0];
}

function bad(path, row, line, columns) {
  const expected = columns === 1 ? "one number" : `${columns} numbers`;
  throw new Problem(
    `${path}: row ${row + 1} must be ${expected}; got ${JSON.stringify(line.trim().slice(0, 60))}.`,
  );
}

function checkSpread(signals) {
  const late = signals.reduce((a, b) => (b.startS > a.startS ? b : a));
  if (late.startS > MAX_START_SPREAD_S) {
    throw new Problem(
      `${late.path}: row 1 is ${late.startS} s after the earliest sensor's; ` +
        `expected at most ${MAX_START_SPREAD_S} s.`,
    );
  }
  const last = Math.max(...signals.map(stopOf));
  const short = signals.reduce((a, b) => (stopOf(b) < stopOf(a) ? b : a));
  if (last - stopOf(short) > MAX_STOP_SPREAD_S) {
    throw new Problem(
      `${short.path}: it ends ${Math.round(last - stopOf(short))} s before the other sensors, ` +
        "so it was cut short; copy it again, or leave it out.",
    );
  }
}
