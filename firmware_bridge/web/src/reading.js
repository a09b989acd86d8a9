// SPDX-License-Identifier: Apache-2.0
// reading.js: a bundle's files and the core by fetch, in a page or a worker.
import { BundleError } from "./errors.js";

const CORE = new URL("../core.wasm", import.meta.url);

/** A function (name, limit) => Uint8Array of a bundle's files, from its address; a function is taken as it is. */
export function readerOf(source) {
  if (typeof source === "function") return source;
  const folder = new URL(`${source}`.replace(/\/?$/, "/"), globalThis.document?.baseURI ?? globalThis.location?.href);
  return async (name, limit) => {
    const bytes = await fetched(new URL(name, folder), name);
    if (bytes.length > limit)
      throw new BundleError(`${name}: expected at most ${limit} bytes; this is no bundle file.`);
    return bytes;
  };
}

/** The core compiled, from its address; by default the one beside this package. */
export async function compiled(core = CORE) {
  if (core instanceof WebAssembly.Module) return core;
  const bytes = await fetched(core, "core.wasm");
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw new BundleError(`core.wasm: this browser cannot run it (${error?.message ?? error}); update the browser.`);
  }
}

async function fetched(address, name) {
  let response;
  try {
    response = await fetch(address);
  } catch (error) {
    throw new BundleError(`${name}: cannot be reached (${error?.message ?? error}); is the server still there?`);
  }
  if (!response.ok) throw new BundleError(`${name}: it is not in the bundle; export the bundle again.`);
  return new Uint8Array(await response.arrayBuffer());
}
