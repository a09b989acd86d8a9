// SPDX-License-Identifier: Apache-2.0
// spec.js: the front end's numbers and tables, read from a bundle's mmq_spec.h as the core's structs want them.
// Every field of both structs is one 32-bit word in WebAssembly, and the header lists them in the structs' own order.
import { BundleError } from "./errors.js";

const TABLE = /static const (float|uint16_t) (\w+)\[(\d+)\] = \{([^}]*)\};/g;
const MODALITY = /\{ \/\* (\w+) \*\/\n([^}]*)\}/g;
const SPEC = /static const mmq_spec_t mmq_spec = \{([^}]*)\}/;
const FIELD = /^ +([^,\n]+), \/\* (\w+) \*\/$/gm;
const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?f?$/;

/**
 * Read a header.
 * @returns {{tables: Map<string, Float32Array|Uint16Array>, modalities: {name, fields}[], fields: Map}}
 */
export function readSpec(text) {
  const tables = new Map();
  for (const [, kind, name, count, body] of text.matchAll(TABLE)) {
    const values = body.split(",").map((word) => numberOf(word.trim(), name));
    if (values.length !== Number(count)) fail("specTable", { name, found: values.length, wanted: count });
    tables.set(name, kind === "float" ? Float32Array.from(values) : Uint16Array.from(values));
  }
  const modalities = [...text.matchAll(MODALITY)].map(([, name, body]) => ({ name, fields: fieldsOf(body) }));
  const fields = fieldsOf(SPEC.exec(text)?.[1] ?? fail("specNone"));
  if (String(modalities.length) !== fields.get("n_modalities")) fail("specSensors");
  return { tables, modalities, fields };
}

/** A number of a struct's field. */
export function fieldNumber(fields, name) {
  return numberOf(fields.get(name) ?? "", name);
}

/**
 * Write a spec into the core's memory.
 * @param place  takes bytes (an ArrayBuffer view), returns their address
 * @returns {{address: number, specWords: number, modalityWords: number}}
 */
export function layOut(spec, place) {
  const addresses = new Map([["NULL", 0]]);
  for (const [name, values] of spec.tables) addresses.set(name, place(values));
  const structs = spec.modalities.map(({ fields }) => wordsOf(fields, addresses));
  const modalityWords = structs[0].length;
  const all = new Uint32Array(structs.length * modalityWords);
  structs.forEach((words, index) => all.set(words, index * modalityWords));
  addresses.set("mmq_spec_modalities", place(all));
  const words = wordsOf(spec.fields, addresses);
  return { address: place(words), specWords: words.length, modalityWords };
}

function wordsOf(fields, addresses) {
  const view = new DataView(new ArrayBuffer(4 * fields.size));
  [...fields.values()].forEach((text, index) => {
    if (addresses.has(text)) view.setUint32(4 * index, addresses.get(text), true);
    else if (text.endsWith("f")) view.setFloat32(4 * index, numberOf(text, "a field"), true);
    else view.setInt32(4 * index, numberOf(text, "a field"), true);
  });
  return new Uint32Array(view.buffer);
}

const fieldsOf = (body) => new Map([...body.matchAll(FIELD)].map(([, value, name]) => [name, value]));

function numberOf(text, name) {
  if (!NUMBER.test(text)) fail("specNumber", { name, got: JSON.stringify(text.slice(0, 40)) });
  return Number.parseFloat(text);
}

function fail(key, values) {
  throw new BundleError(key, values);
}
