// SPDX-License-Identifier: Apache-2.0
// kept.js: what named wearers taught and what was decided about them, in this browser's IndexedDB. Nothing else is stored.
import { Problem } from "./problem.js";

const DATABASE = "mmq-companion",
  WEARERS = "wearers",
  PARTS = "parts",
  AT_MOST_EVERY_MS = 1000,
  PART_EVERY_MS = 10000;
const MAX_NAME = 40,
  MAX_SESSIONS = 12;

/** A name as it is kept: without space around it. */
export const wearerName = (text) => text.trim().slice(0, MAX_NAME);

/** States and sessions by bundle (its manifest's SHA-256) and wearer. Whatever the browser refuses becomes a Problem. */
export class Kept {
  #database;

  /** Open it, or make it. */
  static async open(factory = globalThis.indexedDB) {
    const kept = new Kept();
    kept.#database = await told(async () => {
      const request = factory.open(DATABASE, 2);
      request.onupgradeneeded = ({ oldVersion = 0 } = {}) => {
        if (oldVersion < 1) request.result.createObjectStore(WEARERS, { keyPath: ["bundle", "wearer"] });
        request.result.createObjectStore(PARTS, { keyPath: ["bundle", "wearer", "startedMs", "part"] });
      };
      return answer(request);
    });
    return kept;
  }

  /** The state of a wearer as bytes, or null. */
  async load(bundle, wearer) {
    const found = await this.#ask(WEARERS, "readonly", (store) => store.get([bundle, wearer]));
    return found?.state instanceof Uint8Array ? found.state : null;
  }

  save(bundle, wearer, state) {
    return this.#ask(WEARERS, "readwrite", (store) => store.put({ bundle, wearer, state, savedMs: Date.now() }));
  }

  /** Keep a part of a session, {startedMs, part, ...}. */
  savePart(bundle, wearer, part) {
    return this.#ask(PARTS, "readwrite", (store) => store.put({ bundle, wearer, ...part }));
  }

  /** The parts of a wearer's sessions, {startedMs: [part, ...]} in order; the oldest of too many sessions are dropped. */
  async sessions(bundle, wearer) {
    const all = await this.#ask(PARTS, "readonly", (store) => store.getAll());
    const found = new Map();
    for (const part of all.filter((one) => one.bundle === bundle && one.wearer === wearer)) {
      if (!found.has(part.startedMs)) found.set(part.startedMs, []);
      found.get(part.startedMs).push(part);
    }
    const times = [...found.keys()].sort((a, b) => a - b);
    for (const startedMs of times.splice(0, Math.max(0, times.length - MAX_SESSIONS))) {
      for (const { part } of found.get(startedMs)) await this.#deletePart([bundle, wearer, startedMs, part]);
      found.delete(startedMs);
    }
    return new Map(times.map((time) => [time, found.get(time).sort((a, b) => a.part - b.part)]));
  }

  /** Forget one wearer of one bundle. */
  async forget(bundle, wearer) {
    await this.#ask(WEARERS, "readwrite", (store) => store.delete([bundle, wearer]));
    const all = await this.#ask(PARTS, "readonly", (store) => store.getAll());
    for (const one of all)
      if (one.bundle === bundle && one.wearer === wearer) await this.#deletePart([bundle, wearer, one.startedMs, one.part]);
  }

  /** Forget everything. */
  async forgetAll() {
    for (const name of [WEARERS, PARTS]) await this.#ask(name, "readwrite", (store) => store.clear());
  }

  /** Who wore this bundle last, or "". */
  async last(bundle) {
    const all = await this.#ask(WEARERS, "readonly", (store) => store.getAll());
    const here = all.filter((one) => one.bundle === bundle).sort((a, b) => b.savedMs - a.savedMs);
    return here[0]?.wearer ?? "";
  }

  #deletePart(key) {
    return this.#ask(PARTS, "readwrite", (store) => store.delete(key));
  }

  #ask(name, mode, question) {
    return told(() => answer(question(this.#database.transaction(name, mode).objectStore(name))));
  }
}

/** Keeps the state of a running device, and its session: now and then, and when told that it ends. */
export class Keeper {
  #kept;
  #key;
  #device;
  #savedMs;
  #partMs;
  #journal;
  #writing = Promise.resolve();

  /** `journal()` gives the next part of the session {startedMs, part, ...}, or null where nothing came. */
  constructor(kept, bundle, wearer, device, journal = () => null) {
    this.#kept = kept;
    this.#key = [bundle, wearer];
    this.#device = device;
    this.#savedMs = this.#partMs = performance.now();
    this.#journal = journal;
  }

  /** A token closed: save, if the last time was long enough ago. What goes wrong is told by `finish`. */
  note() {
    const nowMs = performance.now();
    if (!this.#kept || nowMs - this.#savedMs < AT_MOST_EVERY_MS) return;
    this.#save();
    if (nowMs - this.#partMs >= PART_EVERY_MS) this.#saveSession();
  }

  /** Save now: the page may be closed. */
  async flush() {
    if (this.#kept) {
      this.#save();
      this.#saveSession();
    }
    await this.#writing;
  }

  /** Save a last time. */
  finish() {
    return this.flush();
  }

  /** Save no more: the wearer wants it forgotten. Ends when nothing is being written. */
  async drop() {
    this.#kept = null;
    await this.#writing.catch(() => {});
  }

  #save() {
    this.#savedMs = performance.now();
    const state = this.#device.saveState();
    this.#write((kept) => kept.save(...this.#key, state));
  }

  #saveSession() {
    this.#partMs = performance.now();
    const part = this.#journal();
    if (part) this.#write((kept) => kept.savePart(...this.#key, part));
  }

  #write(job) {
    const kept = this.#kept;
    this.#writing = this.#writing.then(() => job(kept));
    this.#writing.catch(() => {});
  }
}

const answer = (request) =>
  new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
    request.onblocked = () => fail(new Problem("otherPage"));
  });

async function told(job) {
  try {
    return await job();
  } catch (error) {
    throw new Problem("keepsNothing", { why: error?.message ?? error });
  }
}
