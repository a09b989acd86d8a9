// SPDX-License-Identifier: Apache-2.0
// bundle.js: a bundle's parts, each used only when its SHA-256 is the manifest's.
import { NETWORK_FILE } from "./network.js";
import { compiled } from "./reading.js";
import { BundleError } from "./errors.js";
import { fieldNumber, readSpec } from "./spec.js";

const HEAD = "personal_head.json";
const NAMES = {
  frontEnd: "frontend.json",
  spec: "mmq_bridge/mmq_spec.h",
};
const ENROLMENT = 2; // mmq_normaliser_t
const MAX_MANIFEST_BYTES = 2_000_000;
const MAX_FILE_BYTES = 64_000_000;

/**
 * Open a bundle.
 * @param read  async (name, limit) => Uint8Array of one file of the bundle, at most limit bytes
 * @param core  core.wasm compiled, or its address
 * @returns {{digest: string, core, manifest, frontEnd, spec, plan: Uint8Array, head, text, tokens, enrolmentTokens,
 *   countsEvidence, features, modalities: {name, ...}[]}}  `text(name)` reads another file that the manifest names
 */
export async function openBundle(read, core) {
  const content = await read("manifest.json", MAX_MANIFEST_BYTES);
  const digest = await sha256(content); // of the whole bundle: the manifest holds those of its files
  const manifest = json(content, "manifest.json");
  checkManifest(manifest);
  if (!manifest.files[NETWORK_FILE]) {
    throw new BundleError("noPlan", { name: NETWORK_FILE });
  }
  const frontEnd = json(await checked(manifest, read, NAMES.frontEnd), NAMES.frontEnd);
  const spec = readSpec(text(await readHeader(manifest, read), NAMES.spec));
  const plan = await checked(manifest, read, NETWORK_FILE);
  const head = manifest.files[HEAD] ? checkHead(json(await checked(manifest, read, HEAD), HEAD), manifest) : null;
  const more = async (name) => text(await checked(manifest, read, name), name);
  return { digest, core: await compiled(core), manifest, frontEnd, spec, plan, head, text: more, ...sizes(frontEnd, spec) };
}

/** A slim bundle has no code: `mmq-bridge pack --for web` and `companion` write its header from its front end. */
async function readHeader(manifest, read) {
  if (manifest.files[NAMES.spec]) return checked(manifest, read, NAMES.spec);
  try {
    return await read(NAMES.spec, MAX_FILE_BYTES);
  } catch {
    throw new BundleError("noCode", { name: NAMES.spec });
  }
}

function sizes(frontEnd, spec) {
  const settings = frontEnd.modalities ?? {};
  let start = 0;
  const modalities = spec.modalities.map(({ name, fields }) => {
    const given = settings[name];
    const channels = fieldNumber(fields, "channels");
    if (given?.channels?.length !== channels || !(given.sampling_rate_hz > 0)) {
      throw new BundleError("otherSensor", { name: NAMES.frontEnd, sensor: name, spec: NAMES.spec });
    }
    const first = start;
    start += featuresOf(spec, fields);
    return {
      name,
      channels,
      rateHz: given.sampling_rate_hz,
      unit: given.unit,
      names: given.channels,
      first,
      last: start,
    };
  });
  const tokens = fieldNumber(spec.fields, "tokens");
  return { tokens, ...enrolmentOf(spec), features: start, modalities };
}

/** Features of a modality in a window: its own and, from version 3 on, its look-backs after them. */
export function featuresOf(spec, fields) {
  const has = fieldNumber(spec.fields, "version") >= 3 && fieldNumber(spec.fields, "look_back_tokens");
  const bits = has ? fieldNumber(fields, "look_back") : 0;
  const ofOne = [...bits.toString(2)].filter((bit) => bit === "1").length;
  return fieldNumber(fields, "features") + ofOne * fieldNumber(fields, "outputs");
}

/**
 * Tokens the enrolment lasts, as the core is told; 0 where the normalisation has none. From version 3 on the core
 * counts evidence: present tokens.
 */
export function enrolmentOf({ fields }) {
  const has = fieldNumber(fields, "normaliser") === ENROLMENT;
  const enrolmentTokens = has ? fieldNumber(fields, "enrolment_tokens") : 0;
  return { enrolmentTokens, countsEvidence: enrolmentTokens > 0 && fieldNumber(fields, "version") >= 3 };
}

/** The personal head's tables, when they are whole and of a task with two classes; the core checks the rest. */
function checkHead(head, { decision }) {
  const { column = [], component = [] } = head,
    rows = [head.owner, head.centre, head.scale, ...component];
  if (
    decision.tasks[head.task]?.length !== 2 ||
    !(component.length >= 1 && component.length <= 32) ||
    !rows.every((row) => Array.isArray(row) && row.length === column.length && row.every(Number.isFinite))
  )
    throw new BundleError("badHead", { name: HEAD });
  return head;
}

function checkManifest(manifest) {
  const { decision } = manifest;
  const tasks = Object.values(decision?.tasks ?? {});
  const whole =
    manifest.bundle_version === 1 &&
    typeof manifest.name === "string" &&
    typeof manifest.simulated === "boolean" &&
    typeof manifest.files === "object" &&
    typeof manifest.data?.title === "string" &&
    tasks.length > 0 &&
    tasks.every((classes) => Array.isArray(classes) && classes.length >= 2) &&
    decision.every_tokens >= 1 &&
    decision.min_present_share >= 0;
  if (!whole) {
    throw new BundleError("noManifest");
  }
}

async function checked(manifest, read, name) {
  const entry = manifest.files[name];
  if (!entry) throw new BundleError("notNamed", { name });
  const content = await read(name, MAX_FILE_BYTES);
  if (content.length !== entry.bytes) {
    throw new BundleError("otherLength", { name, wanted: entry.bytes, found: content.length });
  }
  if ((await sha256(content)) !== entry.sha256) {
    throw new BundleError("otherDigest", { name });
  }
  return content;
}

async function sha256(content) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function text(bytes, name) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new BundleError("noText", { name });
  }
}

function json(bytes, name) {
  let value;
  try {
    value = JSON.parse(text(bytes, name));
  } catch (error) {
    throw error instanceof BundleError ? error : new BundleError("noJson", { name });
  }
  if (value === null || typeof value !== "object")
    throw new BundleError("noObject", { name });
  return value;
}
