// SPDX-License-Identifier: Apache-2.0
// files.js: what was dropped or chosen, as a name and a map of files: a folder, the files of one, or a zip archive.
import { Problem } from "./problem.js";
import { openZip } from "./zip.js";

const MAX_FILES = 1000;
const MAX_DEPTH = 4;

/** Read a drop. Its entries must be taken before anything is awaited. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const files = [];
  for (const entry of entries) await walk(entry, "", files, 0);
  return opened(files.map(({ path, file }) => [path, file]));
}

/** Read what a file input holds. */
export const chosen = (list) => opened([...list].map((file) => [file.webkitRelativePath || file.name, file]));

async function opened(pairs) {
  if (!pairs.length)
    throw new Problem("nothingDropped");
  if (pairs.length === 1 && pairs[0][0].toLowerCase().endsWith(".zip")) {
    const file = pairs[0][1];
    return { name: file.name.replace(/\.zip$/i, ""), members: await openZip(file) };
  }
  const members = new Map();
  for (const [path, file] of pairs) {
    members.set(path, { bytes: file.size, read: async () => new Uint8Array(await file.arrayBuffer()) });
  }
  const folders = new Set(pairs.map(([path]) => path.split("/")[0]));
  const name = pairs.length > 1 && folders.size === 1 ? [...folders][0] : "recording";
  return { name, members };
}

async function walk(entry, folder, files, depth) {
  const path = folder + entry.name;
  if (files.length >= MAX_FILES)
    throw new Problem("manyFiles", { path, most: MAX_FILES });
  if (entry.isFile) {
    files.push({ path, file: await new Promise((done, fail) => entry.file(done, fail)) });
  } else if (depth < MAX_DEPTH) {
    const reader = entry.createReader();
    for (let some = await batch(reader); some.length; some = await batch(reader)) {
      for (const inner of some) await walk(inner, `${path}/`, files, depth + 1);
    }
  }
}

const batch = (reader) => new Promise((done, fail) => reader.readEntries(done, fail));

/** The folder inside `members` that holds a file of this name ("" is the top), or null. */
export function folderWith(members, name) {
  const path = [...members.keys()].find((path) => path === name || path.endsWith(`/${name}`));
  return path === undefined ? null : path.slice(0, path.length - name.length);
}

/** Content of one member of at most `limit` bytes. */
export async function content(members, path, limit) {
  const member = members.get(path);
  if (!member)
    throw new Problem("noFile", { path });
  if (member.bytes > limit)
    throw new Problem("fileTooLarge", { path, limit, bytes: member.bytes });
  return member.read();
}
