// SPDX-License-Identifier: Apache-2.0
// Types of mmq-bridge. Times are in seconds from the session's start.

/** What the device says at the end of one token, with the names of `mmq-bridge stream --json` and of Python. */
export interface Decision {
  /** End of the last token used. */
  time_s: number;
  /** Probability by class by task; empty where the model was not run. */
  probabilities: Record<string, Record<string, number>>;
  /** Share of the window's tokens that were present, per sensor. */
  sensors: Record<string, number>;
  /** Whether the probabilities are not to be acted on. */
  abstained: boolean;
  /** Why it abstained. */
  reason: string | null;
  /** Why the newest token lacks a sensor; the sensors it has are left out. */
  absent: Record<string, string[]>;
  /** Sensors of which a token of the window was normalised by the population. */
  not_enrolled: string[];
  /** The likeliest class of each task; empty where the model was not run. */
  classes: Record<string, string>;
  /** Average of the probabilities of the last `displayS` seconds; null without a display. */
  shown_probabilities: Record<string, Record<string, number>> | null;
  /** The likeliest class of each task by that average; tasks under their threshold are left out. */
  shown: Record<string, string> | null;
  /**
   * Which sensor would help most where it abstains for want of confidence or of sensors; only of a bundle that was exported
   * with --next-sensor, and simulated on validation people.
   */
  next_sensor: string | null;
}

/** A few seconds of all sensors, as the front end saw them. */
export interface Token {
  number: number;
  /** Its end. */
  timeS: number;
  features: Float32Array;
  /** 1 or 0 per sensor, in the order of `Device.names`. */
  presence: Uint8Array;
  /** Why each sensor is absent, as bits and as names. */
  reasons: Uint16Array;
  why: string[][];
  /** The decision that was due at its end, or null. */
  decision: Decision | null;
}

export interface Modality {
  name: string;
  channels: number;
  rateHz: number;
  unit: string;
  names: string[];
}

/** A bundle of which every file was compared with the manifest's SHA-256. */
export interface Bundle {
  /** SHA-256 of the manifest, and so of the whole bundle. */
  digest: string;
  core: WebAssembly.Module;
  manifest: {
    name: string;
    simulated: boolean;
    decision: { tasks: Record<string, string[]>; every_tokens: number };
    [more: string]: unknown;
  };
  modalities: Modality[];
  /** Tokens of a window. */
  tokens: number;
  /** Tokens the enrolment lasts; 0 without one. */
  enrolmentTokens: number;
  /** Read another file that the manifest names. */
  text(name: string): Promise<string>;
}

/** Reads one file of a bundle, at most `limit` bytes of it. */
export type Reader = (name: string, limit: number) => Promise<Uint8Array>;

/** Addresses of a bundle's files by name (in Node.js also their paths). */
export type Files = Readonly<Record<string, string | URL>>;

/** Where a bundle is: its folder's address (in Node.js also its path), those of its files, or a function that reads them. */
export type Source = string | URL | Files | Reader;

export interface Options {
  /** Each decision also gets the average of the last so many seconds; 0, the default, is off. */
  displayS?: number;
}

export interface LoadOptions extends Options {
  /** core.wasm compiled, or its address; by default the one in this package. */
  core?: WebAssembly.Module | string | URL;
}

/** Samples channel after channel, or an array per channel; NaN is a lost sample. */
export type Samples = Float32Array | readonly number[] | readonly (Float32Array | readonly number[])[];

export class Device {
  /** Open a bundle and make a device of it. Throws a BundleError. */
  static load(source: Source, options?: LoadOptions): Promise<Device>;
  /** Open a bundle, for several devices. Throws a BundleError. */
  static openBundle(source: Source, options?: { core?: LoadOptions["core"] }): Promise<Bundle>;
  constructor(bundle: Bundle, options?: Options);

  readonly bundle: Bundle;
  /** The bundle's sensors. */
  readonly names: string[];
  /** Length of a token. */
  readonly tokenS: number;
  /** How much later than the others a sensor may come. */
  readonly graceS: number;
  /** By sensor the pushes of which samples came too late, or twice, and were not used. */
  readonly latePushes: Record<string, number>;
  /** Bytes of the core's memory. */
  readonly coreBytes: number;
  /** How far the enrolment is; null when it is over. */
  readonly enrolment: { tokens: number; left: number; words: string } | null;

  /**
   * Take samples of one sensor, the first of them from `timeS`; a sensor the bundle has no use for is ignored.
   * Pieces of a second or so should come in the order of time: a sensor that is over `graceS` behind counts as silent.
   * Returns the tokens that closed. Throws an InputError.
   */
  push(sensor: string, samples: Samples, timeS: number): Token[];
  /** The same for a packet with a sample counter; of `firstIndex` the last 32 bits count. */
  pushCounted(sensor: string, samples: Samples, firstIndex: number): Token[];
  /** Say that it is `timeS` now and nothing older will come: needed only when every sensor may be silent. */
  advance(timeS: number): Token[];

  /** Every decision as it is made, until `end` is called. At most a day of them waits. */
  decisions(): AsyncIterableIterator<Decision>;
  /** The decisions that wait, oldest first. */
  take(): Decision[];
  /** No more samples will come. */
  end(): void;

  /** A decision as a display shows it: by its average. */
  asShown(decision: Decision): Decision;
  /** What the newest decision rested on: by task and sensor the change of the likeliest class's probability when that
   * sensor is hidden; null where it was absent, or is the only one. */
  restedOn(): Record<string, Record<string, number | null>>;

  /** How far the enrolment was at the end of one of the newest tokens: by sensor the tokens measured, and those left. */
  enrolmentAt(number: number): { measured: Record<string, number>; left: number };

  /** The wearer's own correction; null where the bundle has no personal head. */
  readonly personal: Personal | null;
  /**
   * Say that a stretch of the past was of one class; decisions are corrected by it from now on. Returns how many windows
   * of it are used. Throws a MarkError; then nothing is changed.
   */
  mark(label: string, startS: number, stopS: number): number;
  /** Undo all marks: decisions are the model's own again. */
  forget(): void;

  /** What the wearer taught, as bytes: those of `mmq-bridge stream --state`. */
  saveState(): Uint8Array;
  /** Take over what was saved, before the first sample. Throws a StateError; then nothing is changed. */
  loadState(state: Uint8Array): void;
}

/** A stretch the wearer marked. */
export interface Mark {
  label: string;
  startS: number;
  stopS: number;
  /** Windows of it that are used. */
  windows: number;
  stretch: number;
}

/** What a wearer marked, and what was learned from it. */
export interface Personal {
  /** The two classes that can be marked. */
  readonly classes: readonly string[];
  readonly marks: readonly Mark[];
  /** Marked windows that are kept, by class. */
  readonly counts: Record<string, number>;
  /** Whether anything is corrected. */
  readonly adapted: boolean;
  /** What else should be marked before this is relied on: more of a class, more since stretches contradict each other,
   * a second stretch; null when nothing. */
  readonly asks: { kind: "more" | "unhelpful" | "second"; label: string | null } | null;
  /** Each remembered decision's time, and the probability of the second class without and with the marks. */
  readonly beforeAndAfter: { timeS: number; before: number; after: number }[];
}

/** A decision as one line of `mmq-bridge stream --json`; with the session's start in Unix seconds it says when it was. */
export function decisionLine(decision: Decision, simulated: boolean, startedUnixS?: number | null): string;

/** Every error this package throws on purpose: one sentence that says what to do. */
export class MMQError extends Error {
  /** Which sentence it is, and what fills it: for a page that speaks another language. */
  readonly key: string;
  readonly values: Readonly<Record<string, unknown>>;
}
/** A bundle's file is missing, was changed, or does not fit the others. */
export class BundleError extends MMQError {}
/** Samples, times or options that cannot be. */
export class InputError extends MMQError {}
/** A mark that cannot be: no such class, over another mark, or nothing was decided there. */
export class MarkError extends MMQError {}
/** A saved state that is cut short, changed, or of another front end. */
export class StateError extends MMQError {}

/** The messages of the GATT profile: uuid and fields of each, and the service's. */
export interface GattProfile {
  version: number;
  service: string;
  messages: Record<string, { uuid: string; fields: { name: string; bytes: number; scale?: number }[] }>;
}
export const GATT_PROFILE: GattProfile;
/** Write a message of the GATT profile. Throws an InputError. */
export function encode(name: string, values: Record<string, number>, table?: GattProfile): Uint8Array;
/** Read a message of the GATT profile. Throws an InputError. */
export function decode(name: string, content: Uint8Array | DataView, table?: GattProfile): Record<string, number>;
