// SPDX-License-Identifier: Apache-2.0
// zip.js: zip archives read in memory: no size is believed unchecked, no name leads anywhere.
// The same limits as mmq_tf/datasets/formats/files/archives.py.
import { Problem } from "./problem.js";

const MIB = 2 ** 20;
const MAX_ARCHIVE_BYTES = 512 * MIB;
const MAX_TOTAL_BYTES = 1024 * MIB;
const MAX_MEMBERS = 1000;
const MAX_RATIO = 250;
const SMALL_BYTES = 64 * MIB;
const END = 0x06054b50,
  ENTRY = 0x02014b50,
  LOCAL = 0x04034b50;
const STORED = 0,
  DEFLATED = 8;

/** Open a zip archive: a map from each file's name to {bytes, read()}. */
export async function openZip(file) {
  if (file.size > MAX_ARCHIVE_BYTES) refuse(file, "zipLarge", { size: mib(file.size) });
  const tail = await slice(file, Math.max(0, file.size - 22 - 65535), file.size);
  const end = findEnd(file, tail);
  const count = tail.getUint16(end + 10, true),
    length = tail.getUint32(end + 12, true),
    start = tail.getUint32(end + 16, true);
  if (count > MAX_MEMBERS || length > MAX_MEMBERS * 512)
    refuse(file, "zipMany", { most: MAX_MEMBERS });
  if (start + length > file.size) refuse(file, "zipDirectoryShort");
  const directory = await slice(file, start, start + length);
  const members = new Map();
  let at = 0,
    total = 0;
  for (let i = 0; i < count; i++) {
    const entry = readEntry(file, directory, at);
    at = entry.next;
    total += entry.bytes;
    if (total > MAX_TOTAL_BYTES) refuse(file, "zipUnpacksLarge");
    if (total > SMALL_BYTES && total > MAX_RATIO * file.size) {
      refuse(file, "zipBomb", { bytes: file.size, size: mib(total) });
    }
    if (entry.name.endsWith("/")) continue;
    if (members.has(entry.name)) refuse(file, "zipTwice", { entry: quoted(entry.name) });
    members.set(entry.name, { bytes: entry.bytes, read: () => unpack(file, entry) });
  }
  return members;
}

function findEnd(file, tail) {
  for (let at = tail.byteLength - 22; at >= 0; at--) {
    if (tail.getUint32(at, true) === END) return at;
  }
  return refuse(file, "noZip");
}

function readEntry(file, directory, at) {
  if (at + 46 > directory.byteLength || directory.getUint32(at, true) !== ENTRY) refuse(file, "zipDirectory");
  const u16 = (offset) => directory.getUint16(at + offset, true),
    u32 = (offset) => directory.getUint32(at + offset, true);
  const next = at + 46 + u16(28) + u16(30) + u16(32);
  if (next > directory.byteLength) refuse(file, "zipDirectory");
  const name = new TextDecoder().decode(
    new Uint8Array(directory.buffer, directory.byteOffset + at + 46, u16(28)),
  );
  const kind = (u32(38) >>> 16) & 0o170000;
  const entry = quoted(name);
  if (!name || /[\\\p{C}]|^\/|^[^/]*:/u.test(name)) refuse(file, "zipName", { entry });
  if (name.split("/").includes("..")) refuse(file, "zipLeaves", { entry });
  if (![0, 0o100000, 0o040000].includes(kind)) refuse(file, "zipLink", { entry });
  if (u16(8) & 0x41) refuse(file, "zipEncrypted", { entry });
  if (![STORED, DEFLATED].includes(u16(10))) refuse(file, "zipMethod", { entry, method: u16(10) });
  return { name, next, method: u16(10), crc: u32(16), packed: u32(20), bytes: u32(24), local: u32(42) };
}

/** Content of one entry: never more than its directory said, and with its checksum. */
async function unpack(file, { name, method, crc, packed, bytes, local }) {
  const where = { file: file.name, entry: quoted(name) };
  const head = local + 30 <= file.size ? await slice(file, local, local + 30) : null;
  if (head?.getUint32(0, true) !== LOCAL)
    throw new Problem("zipPlace", where);
  const first = local + 30 + head.getUint16(26, true) + head.getUint16(28, true);
  const stream = file.slice(first, first + packed).stream();
  const plain = method === DEFLATED ? stream.pipeThrough(new DecompressionStream("deflate-raw")) : stream;
  const content = new Uint8Array(bytes);
  let at = 0;
  try {
    for (const reader = plain.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > bytes) {
        await reader.cancel();
        throw new Problem("zipMore", { ...where, bytes });
      }
      content.set(value, at);
      at += value.length;
    }
  } catch (error) {
    throw error instanceof Problem
      ? error
      : new Problem("zipPacked", where);
  }
  if (at !== bytes || crc32(content) !== crc)
    throw new Problem("zipDamaged", where);
  return content;
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const slice = async (file, from, to) => new DataView(await file.slice(from, to).arrayBuffer());
const mib = (bytes) => `${Math.round(bytes / MIB)} MiB`;
const quoted = (name) => JSON.stringify(name.slice(0, 80));

function refuse(file, key, values = {}) {
  throw new Problem(key, { file: file.name, ...values });
}
