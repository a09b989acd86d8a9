// SPDX-License-Identifier: Apache-2.0
// problem.js: what a person can mend, said in one sentence.
import { MMQError } from "../src/index.js";

/** Of the page's own: recordings, archives, straps, what is kept. */
export class Problem extends MMQError {}

/** The sentence to show for any error: what nobody foresaw says so. */
export function sentence(error) {
  return error instanceof MMQError
    ? error.message
    : `Unexpected: ${error?.message ?? error}. Reload the page.`;
}
