// SPDX-License-Identifier: Apache-2.0
// sentences.js: what this package's errors say, by their keys; {names} are filled in.

export const SENTENCES = {
  status: "{what}: {sentence}.",

  unread: "{name}: cannot be read ({code}); export the bundle again.",
  unreached: "{name}: cannot be reached ({why}); is the server still there?",
  notThere: "{name}: it is not in the bundle; export the bundle again.",
  notNamed: "{name}: the manifest does not name this file; export the bundle again.",
  tooLarge: "{name}: expected at most {limit} bytes; this is no bundle file.",
  otherLength:
    "{name}: expected {wanted} bytes, found {found}; the file was changed after export. Copy or export the bundle again.",
  otherDigest:
    "{name}: its SHA-256 is not the manifest's, so it was changed or damaged after export. Copy or export the bundle again.",
  noText: "{name}: expected UTF-8 text; export the bundle again.",
  noJson: "{name}: expected JSON; export the bundle again.",
  noObject: "{name}: expected an object; export the bundle again.",
  noManifest: "manifest.json: expected a manifest of bundle version 1 with its tasks; export the bundle again.",
  noPlan:
    "This bundle has no {name}, the network as this page runs it: export its run again (mmq-tf export RUN --int8 --out DIR).",
  noCode:
    "{name}: this bundle was exported without its code; write it for the web (mmq-bridge pack BUNDLE --for web --out DIR), " +
    "or export it again without --slim.",
  otherSensor: "{name}: its {sensor} is not the one of {spec}; export the bundle again.",
  badHead: "{name}: expected the tables of a task with two classes; export the bundle again.",
  headRefused: "personal_head.json: the core refuses its tables; export the bundle again.",
  rulesRefused: "manifest.json: the core refuses its decision settings; export the bundle again.",
  wasmRefused: "core.wasm: this browser cannot run it ({why}); update the browser.",
  otherNetwork: "{name}: expected {wanted} of the manifest, got {got}; export again.",
  otherSpec: "{name}: it is not of mmq_bridge/mmq_spec.h; export the bundle again.",
  specOther: "mmq_bridge/mmq_spec.h: it was written for another version of the core; export again.",
  specRefused: "mmq_bridge/mmq_spec.h: the core refuses it; export the bundle again.",
  specTable: "mmq_bridge/mmq_spec.h: {name} has {found} of {wanted} numbers; export the bundle again.",
  specNone: "mmq_bridge/mmq_spec.h: it defines no mmq_spec; export the bundle again.",
  specSensors: "mmq_bridge/mmq_spec.h: its modalities are not complete; export the bundle again.",
  specNumber: "mmq_bridge/mmq_spec.h: {name}: expected a number, got {got}; export the bundle again.",

  displayS: "displayS: expected 0 to 3600 s, got {got}.",
  counter: "{name}: expected a whole number as counter, got {got}.",
  ended: "{name}: the device was ended; make another one.",
  samples: "{name}: expected {channels} channel(s) of equally many numbers each.",
  gattField: "{name}: {field} must be 0 to {most}, got {got}.",
  gattShort: "{name}: expected {wanted} bytes, got {got}.",
  gattVersion: "{name}: expected version {wanted} of the profile, got {got}.",

  stateLong: "state: the state was changed, or is none.",
  stateHead: "state: it holds marks for a personal head, but this bundle has none.",
  noHead: "personal head: this bundle has none; train again with two classes, and export that run.",
  markClass: "mark: expected {classes}, got {got}.",
  markTimes: "mark: expected a stop after the start, got {start} to {stop} s.",
  markOver:
    "mark: {start} to {stop} s overlaps {otherStart} to {otherStop} s, which is marked {label}; mark them apart, or forget " +
    "all and begin again.",
  markEmpty: "mark: no window of {window} s from {start} to {stop} s was decided about; nothing was yet.",
  markBeyond:
    "mark: no window of {window} s from {start} to {stop} s was decided about; decisions are known from {first} to {last} s.",
};

/** A text with {names} filled in. */
export const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
