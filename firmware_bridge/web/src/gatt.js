// SPDX-License-Identifier: Apache-2.0
// gatt.js: messages of the GATT profile as bytes and back, by its table.
import { InputError } from "./errors.js";
import { GATT_PROFILE } from "./gatt_profile.js";

/** Write a message: `values` has every field by name, those with a scale from 0 to 1. */
export function encode(name, values, table = GATT_PROFILE) {
  const { fields } = table.messages[name];
  const bytes = [table.version];
  for (const { name: field, bytes: size, scale } of fields) {
    const number = scale ? values[field] * scale : values[field];
    const most = scale ?? 2 ** (8 * size) - 1;
    if (!(number >= 0 && number <= most) || (!scale && !Number.isInteger(number))) {
      throw new InputError("gattField", { name, field, most: scale ? 1 : most, got: values[field] });
    }
    let rest = Math.floor(number + 0.5);
    for (let i = 0; i < size; i++, rest = Math.floor(rest / 256)) bytes.push(rest % 256);
  }
  return Uint8Array.from(bytes);
}

/** Read a message from bytes or a DataView; bytes after its fields are of a later profile and left alone. */
export function decode(name, content, table = GATT_PROFILE) {
  const bytes = content instanceof DataView ? new Uint8Array(content.buffer, content.byteOffset, content.byteLength) : content;
  const { fields } = table.messages[name];
  const size = fields.reduce((sum, field) => sum + field.bytes, 1);
  if (bytes.length < size) throw new InputError("gattShort", { name, wanted: size, got: bytes.length });
  if (bytes[0] !== table.version) throw new InputError("gattVersion", { name, wanted: table.version, got: bytes[0] });
  const found = {};
  let at = 1;
  for (const { name: field, bytes: count, scale } of fields) {
    let number = 0;
    for (let i = count - 1; i >= 0; i--) number = number * 256 + bytes[at + i];
    found[field] = scale ? number / scale : number;
    at += count;
  }
  return found;
}
