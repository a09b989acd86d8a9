// SPDX-License-Identifier: Apache-2.0
// errors.js: what a person or a program can mend: one sentence each, by what is wrong.
import { filled, SENTENCES } from "./sentences.js";

/** Every error this package throws on purpose: a sentence's key and what fills it, so that a page can say it in its language. */
export class MMQError extends Error {
  constructor(key, values = {}, sentences = SENTENCES) {
    super(filled(sentences[key], values));
    this.key = key;
    this.values = values;
  }

  get name() {
    return this.constructor.name;
  }
}

/** A bundle's file is missing, was changed, or does not fit the others. */
export class BundleError extends MMQError {}

/** Samples, times or options that cannot be. */
export class InputError extends MMQError {}

/** A mark that cannot be: no such class, over another mark, or nothing was decided there. */
export class MarkError extends MMQError {}

/** A saved state that is cut short, changed, or of another front end. */
export class StateError extends MMQError {}
