// SPDX-License-Identifier: Apache-2.0
// average.js: decisions as they are to be shown: by the average of the last seconds, or as they were made.
export class Average {
  #device;
  #known = new WeakMap();

  constructor(device) {
    this.#device = device;
  }

  view = (decision) => {
    if (!document.querySelector("#average").checked) return decision;
    if (!this.#known.has(decision)) this.#known.set(decision, this.#device.asShown(decision));
    return this.#known.get(decision);
  };
}
