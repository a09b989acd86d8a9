// SPDX-License-Identifier: Apache-2.0
// problem.js: what a person can mend, said in one sentence.

export class Problem extends Error {}

/** The sentence to show for any error: what nobody foresaw says so. */
export function sentence(error) {
  return error instanceof Problem
    ? error.message
    : `Unexpected: ${error?.message ?? error}. Reload the page.`;
}
