// SPDX-License-Identifier: Apache-2.0
// offline.js: the service worker that keeps the page, the package and the bundle in this browser.

/** Register it; whether the page opens without its server from now on. */
export async function registered(container = globalThis.navigator?.serviceWorker) {
  try {
    await container.register("sw.js", { updateViaCache: "none" });
    await container.ready;
    return true;
  } catch {
    return false; // no secure address, or the browser refuses
  }
}
