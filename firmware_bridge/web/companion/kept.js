// SPDX-License-Identifier: Apache-2.0
// kept.js: what named wearers taught, in this browser's IndexedDB. Nothing else is stored.
import { Problem } from "./problem.js";

const DATABASE = "mmq-companion",
  STORE = "wearers",
  AT_MOST_EVERY_MS = 1000;
const MAX_NAME = 40;

/** A name as it is kept: without space around it. */
export const wearerName = (text) => text.trim().slice(0, MAX_NAME);

/** States by bundle (its manifest's SHA-256) and wearer. Whatever the browser refuses becomes a Problem. */
export class Kept {
  #database;

  /** Open it, or make it. */
  static async open(factory = globalThis.indexedDB) {
    const kept = new Kept();
    kept.#database = await told(async () => {
      const request = factory.open(DATABASE, 1);
      request.onupgradeneeded = () =>
        request.result.createObjectStore(STORE, { keyPath: ["bundle", "wearer"] });
      return answer(request);
    });
    return kept;
  }

  /** The state of a wearer as bytes, or null. */
  async load(bundle, wearer) {
    const found = await this.#ask("readonly", (store) => store.get([bundle, wearer]));
    return found?.state instanceof Uint8Array ? found.state : null;
  }

  save(bundle, wearer, state) {
    return this.#ask("readwrite", (store) => store.put({ bundle, wearer, state, savedMs: Date.now() }));
  }

  forget(bundle, wearer) {
    return this.#ask("readwrite", (store) => store.delete([bundle, wearer]));
  }

  /** Who wore this bundle last, or "". */
  async last(bundle) {
    const all = await this.#ask("readonly", (store) => store.getAll());
    const here = all.filter((one) => one.bundle === bundle).sort((a, b) => b.savedMs - a.savedMs);
    return here[0]?.wearer ?? "";
  }

  #ask(mode, question) {
    return told(() => answer(question(this.#database.transaction(STORE, mode).objectStore(STORE))));
  }
}

/** Keeps the state of a running device: now and then, and when told that it ends. */
export class Keeper {
  #kept;
  #key;
  #device;
  #savedMs;
  #writing = Promise.resolve();

  constructor(kept, bundle, wearer, device) {
    this.#kept = kept;
    this.#key = [bundle, wearer];
    this.#device = device;
    this.#savedMs = performance.now();
  }

  /** A token closed: save, if the last time was long enough ago. What goes wrong is told by `finish`. */
  note() {
    if (this.#kept && performance.now() - this.#savedMs >= AT_MOST_EVERY_MS) this.#save();
  }

  /** Save a last time. */
  async finish() {
    if (this.#kept) this.#save();
    await this.#writing;
  }

  /** Save no more: the wearer wants it forgotten. Ends when nothing is being written. */
  async drop() {
    this.#kept = null;
    await this.#writing.catch(() => {});
  }

  #save() {
    this.#savedMs = performance.now();
    const state = this.#device.saveState(),
      kept = this.#kept;
    this.#writing = this.#writing.then(() => kept.save(...this.#key, state));
    this.#writing.catch(() => {});
  }
}

const answer = (request) =>
  new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
    request.onblocked = () => fail(new Error("another page holds it"));
  });

async function told(job) {
  try {
    return await job();
  } catch (error) {
    throw new Problem(
      `This browser keeps nothing of a wearer (${error?.message ?? error}); clear the name to go on without.`,
    );
  }
}
