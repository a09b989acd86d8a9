// SPDX-License-Identifier: Apache-2.0
// problem.js: what a person can mend, said in one sentence.
import { MMQError } from "../src/index.js";
import { ERRORS, said } from "./strings.js";

/** Of the page's own: recordings, archives, straps, what is kept. Its message is English; `sentence` speaks the reader's language. */
export class Problem extends MMQError {
  constructor(key, values) {
    super(key, values, ERRORS);
  }
}

/** The sentence to show for any error: what nobody foresaw says so. */
export function sentence(error) {
  if (!(error instanceof MMQError)) return said("unexpected", { why: error?.message ?? error });
  const { key, values } = error;
  const inner = Object.entries(values).map(([name, value]) => [name, value instanceof MMQError ? sentence(value) : value]);
  return said(key, Object.fromEntries(inner));
}
