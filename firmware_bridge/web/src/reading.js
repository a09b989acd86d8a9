// SPDX-License-Identifier: Apache-2.0
// reading.js: a bundle's files and the core by fetch, in a page or a worker.
import { BundleError } from "./errors.js";

const CORE = new URL("../core.wasm", import.meta.url);

/**
 * A function (name, limit) => Uint8Array of a bundle's files: from its folder's address, or from a table {name: address}; a
 * function is taken as it is. `read(address, name)` reads one file, `below(folder)` says where those of a folder are.
 */
export function readerOf(source, read = fetched, below = belowAddress) {
  if (typeof source === "function") return source;
  const placeOf = isTable(source) ? inTable(source) : below(source);
  return async (name, limit) => {
    const bytes = await read(placeOf(name), name);
    if (bytes.length > limit)
      throw new BundleError("tooLarge", { name, limit });
    return bytes;
  };
}

const isTable = (source) => typeof source === "object" && !(source instanceof URL);

const inTable = (files) => (name) => {
  if (!Object.hasOwn(files, name)) throw new BundleError("notThere", { name });
  return files[name];
};

export function belowAddress(source) {
  const folder = new URL(`${source}`.replace(/\/?$/, "/"), globalThis.document?.baseURI ?? globalThis.location?.href);
  return (name) => new URL(name, folder);
}

/** The core compiled, from its address; by default the one beside this package. */
export async function compiled(core = CORE) {
  if (core instanceof WebAssembly.Module) return core;
  const bytes = await fetched(core, "core.wasm");
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    throw new BundleError("wasmRefused", { why: error?.message ?? error });
  }
}

export async function fetched(address, name) {
  let response;
  try {
    response = await fetch(address);
  } catch (error) {
    throw new BundleError("unreached", { name, why: error?.message ?? error });
  }
  if (!response.ok) throw new BundleError("notThere", { name });
  return new Uint8Array(await response.arrayBuffer());
}
