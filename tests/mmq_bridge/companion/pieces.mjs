// SPDX-License-Identifier: Apache-2.0
// pieces.mjs: parts of the package and of its page that need no browser. Usage: node pieces.mjs WEB_FOLDER < {scenario, ...}, JSON out.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = `${process.argv[2]}/`;
const part = (name) => import(pathToFileURL(folder + name));
const given = JSON.parse(readFileSync(0, "utf8"));
const hex = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("hex");

/** As much of IndexedDB as the page uses: answers come later, as the browser's do. */
function memory() {
  const keyOf = (key) => JSON.stringify(key);
  const request = (job) => {
    const made = {};
    queueMicrotask(() => {
      try {
        if (factory.broken) throw new Error("the disk is full");
        made.result = job();
      } catch (error) {
        made.error = error;
        return made.onerror?.();
      }
      made.onsuccess?.();
    });
    return made;
  };
  const storeOf = (keyPath) => {
    const records = new Map();
    return {
      get: (key) => request(() => structuredClone(records.get(keyOf(key)))),
      put: (record) =>
        request(() => records.set(keyOf(keyPath.map((name) => record[name])), structuredClone(record)) && undefined),
      delete: (key) => request(() => records.delete(keyOf(key)) && undefined),
      getAll: () => request(() => structuredClone([...records.values()])),
      clear: () => request(() => records.clear()),
    };
  };
  const stores = {};
  let isMade = false;
  const database = {
    createObjectStore: (name, { keyPath }) => {
      isMade = true;
      stores[name] = storeOf(keyPath);
    },
    transaction: () => ({
      objectStore: (name) => {
        if (!stores[name]) throw new Error("there is no such store");
        return stores[name];
      },
    }),
  };
  const factory = {
    broken: false,
    put: (record) => stores.wearers.put(record),
    open: () => {
      const made = request(() => {
        made.result = database;
        if (!isMade) made.onupgradeneeded();
        return database;
      });
      return made;
    },
  };
  return factory;
}

/** A network that says the same of every window of a bundle, whose spec becomes quantised as it takes windows. */
function stubOf({ spec, tokens, features, modalities }, logits) {
  for (const [name, value] of [["quantised", "1"], ["scale", "0.05f"], ["zero_point", "3"]]) spec.fields.set(name, value);
  return () => ({
    inputs: new Map([
      ["features", { count: tokens * features, scale: 0.05, zeroPoint: 3 }],
      ["presence", { count: tokens * modalities.length, scale: 1 / 255, zeroPoint: -128 }],
    ]),
    outputs: new Map([["stress", { count: 2, scale: 0.1, zeroPoint: 0 }]]),
    run: () => Int8Array.from(logits),
  });
}

const SCENARIOS = {
  /** Let the simulated wearer live for some seconds: its samples, and the tokens the core makes of them. */
  async simulate({ header, modalities, seconds }) {
    const { Bridge } = await part("src/core.js"),
      { readSpec } = await part("src/spec.js"),
      { simulatorSource } = await part("companion/simulator.js");
    const bridge = new Bridge(new WebAssembly.Module(readFileSync(`${folder}core.wasm`)), readSpec(header));
    const chunks = [],
      tokens = [];
    for (const step of simulatorSource({ modalities }).steps()) {
      if (step.nowS > seconds) break;
      for (const { name, samples, frames, timeS } of step.chunks) {
        bridge.push(
          modalities.findIndex((modality) => modality.name === name),
          samples,
          frames,
          timeS,
        );
        chunks.push({ name, samples: hex(samples), timeS });
      }
      for (let token = bridge.pop(); token; token = bridge.pop()) {
        tokens.push({
          number: token.number,
          features: hex(token.features),
          presence: [...token.presence],
          reasons: [...token.reasons],
        });
      }
    }
    return { chunks, tokens };
  },

  /**
   * By case: what a device answers while it is pushed chunks, and how many tokens its enrolment lasts. A case is
   * {header, chunks: [{name, samples: [channel][], timeS}], untilS}; the model says the same of every window.
   */
  async decide({ cases }) {
    const { readSpec } = await part("src/spec.js"),
      { enrolmentOf, featuresOf } = await part("src/bundle.js"),
      { Device } = await part("src/device.js");
    const core = new WebAssembly.Module(readFileSync(`${folder}core.wasm`));
    const one = ({ header, chunks, untilS }) => {
      const spec = readSpec(header);
      let start = 0;
      const modalities = spec.modalities.map(({ name, fields }) => {
        const first = start;
        start += featuresOf(spec, fields);
        return { name, channels: Number(fields.get("channels")), first, last: start };
      });
      const bundle = {
        spec,
        manifest: {
          decision: { tasks: { stress: ["rest", "stress"] }, every_tokens: 1, min_present_share: 0 },
        },
        frontEnd: { token_s: Number.parseFloat(spec.fields.get("token_s")), grace_s: 0 },
        modalities,
        features: start,
        tokens: Number(spec.fields.get("tokens")),
        ...enrolmentOf(spec),
      };
      const device = new Device({ ...bundle, core }, { network: stubOf(bundle, [0, 10]) }),
        said = [];
      const answer = (tokens) => {
        for (const token of tokens) {
          const { time_s, reason, not_enrolled } = token.decision;
          said.push({ time_s, reason, not_enrolled });
        }
      };
      for (const { name, samples, timeS } of chunks)
        answer(device.push(name, Float32Array.from(samples.flat()), timeS));
      answer(device.advance(untilS));
      return { tokens: bundle.enrolmentTokens, slices: modalities.map(({ first, last }) => [first, last]), said };
    };
    return cases.map(one);
  },

  /** What a core saves after a state was loaded, or why it was refused; and how long a device then waits. */
  async restart({ header, states }) {
    const { Bridge } = await part("src/core.js"),
      { readSpec } = await part("src/spec.js"),
      { enrolmentOf } = await part("src/bundle.js"),
      { Device } = await part("src/device.js");
    const core = new WebAssembly.Module(readFileSync(`${folder}core.wasm`)),
      spec = readSpec(header);
    const bundle = {
      spec,
      manifest: { decision: { tasks: { stress: ["rest", "stress"] }, every_tokens: 1, min_present_share: 1 } },
      frontEnd: { token_s: Number.parseFloat(spec.fields.get("token_s")), grace_s: 0 },
      modalities: spec.modalities.map(({ name }) => ({ name, channels: 1 })),
      features: Number(spec.fields.get("n_features")),
      tokens: Number(spec.fields.get("tokens")),
      ...enrolmentOf(spec),
    };
    const network = stubOf(bundle, [0, 0]);
    const one = (text) => {
      const bridge = new Bridge(core, spec),
        device = new Device({ ...bundle, core }, { network }),
        state = new Uint8Array(Buffer.from(text, "hex")),
        before = hex(bridge.save());
      try {
        bridge.load(state);
        device.loadState(state);
      } catch (error) {
        return { refused: error.message, same: hex(bridge.save()) === before };
      }
      const enrolment = device.enrolment?.words ?? null;
      const [{ decision }] = device.advance(bundle.frontEnd.token_s);
      return { saved: hex(bridge.save()), left: bridge.enrolmentLeft, enrolment, reason: decision.reason };
    };
    return states.map(one);
  },

  /** What the core shows of decisions [{timeS, probability: []}] about a manifest's tasks, averaged over so many s. */
  async display({ header, displayS, decision, decisions }) {
    const { Bridge } = await part("src/core.js"),
      { readSpec } = await part("src/spec.js");
    const bridge = new Bridge(new WebAssembly.Module(readFileSync(`${folder}core.wasm`)), readSpec(header));
    const outputs = new Map(Object.keys(decision.tasks).map((task) => [task, { scale: 1, zeroPoint: 0 }]));
    bridge.beginToDecide(decision, outputs, displayS);
    return decisions.map(({ timeS, probability }) => {
      const bytes = new Uint8Array(464), // an mmq_decision_t
        view = new DataView(bytes.buffer);
      view.setFloat64(8, timeS, true);
      view.setUint32(40, probability.length, true);
      new Float32Array(bytes.buffer, 208).set(probability);
      const shown = bridge.show({ bytes });
      return {
        probability: [...shown.probability],
        best: shown.best[0],
        sure: shown.sure,
        abstains: bridge.abstentionName(shown.abstention),
      };
    });
  },

  /** By plan (base64): what a network's outputs are of windows [{features, presence}], or why it is refused. */
  async networks({ plans, windows }) {
    const { Memory } = await part("src/memory.js"),
      { Network } = await part("src/network.js");
    const core = new WebAssembly.Module(readFileSync(`${folder}core.wasm`)),
      int8 = (values) => Int8Array.from(values);
    return plans.map((plan) => {
      try {
        const network = new Network(new Memory(core), new Uint8Array(Buffer.from(plan, "base64")));
        const said = windows.map(({ features, presence }) => [
          ...network.run({ features: int8(features), presence: int8(presence) }),
        ]);
        return { said, inputs: [...network.inputs], outputs: [...network.outputs] };
      } catch (error) {
        return `${error.constructor.name}: ${error.message}`;
      }
    });
  },

  /** Every string of the page, and in German how an error says what the core meant. */
  async strings() {
    const { SAID, speak, STATUS, STRINGS } = await part("companion/strings.js"),
      { Problem, sentence } = await part("companion/problem.js"),
      { StateError } = await part("src/index.js");
    const inner = new StateError("status", { what: "state", status: 12, sentence: "the state is cut short" }),
      error = new Problem("enrolAnew", { wearer: "Anna", why: inner });
    const english = sentence(error);
    speak("de");
    return { strings: STRINGS, errors: SAID, status: STATUS, said: [english, sentence(error), sentence(new Error("x"))] };
  },

  /** A strap that tells of a beat each 0.8 s and falls silent: what the core makes of the ECG that is drawn of it. */
  async strap({ header, rateHz, seconds, lostS }) {
    const { Bridge } = await part("src/core.js"),
      { readSpec } = await part("src/spec.js"),
      { StrapSource } = await part("companion/strap.js");
    const bridge = new Bridge(new WebAssembly.Module(readFileSync(`${folder}core.wasm`)), readSpec(header));
    let nowS = 1000;
    const source = new StrapSource("strap", { name: "ecg", channels: 1, rateHz, unit: "mV" }, () => nowS),
      said = { presence: [], features: [] };
    for (const step of source.steps()) {
      if (step.nowS > seconds) break;
      for (; nowS < 1000 + step.nowS - 0.01; nowS += 0.8) if (nowS < 1000 + lostS) source.take([0.8]);
      for (const { samples, frames, timeS } of step.chunks) bridge.push(0, samples, frames, timeS);
      for (let token = bridge.pop(); token; token = bridge.pop()) {
        said.presence.push(token.presence[0]);
        said.features.push([...token.features]);
      }
    }
    return said;
  },

  /** What is kept of wearers, in a database that stands in for the browser's, or that refuses. */
  async kept() {
    const { Kept, Keeper, wearerName } = await part("companion/kept.js");
    const factory = memory();
    const kept = await Kept.open(factory),
      bytes = (...values) => Uint8Array.from(values);
    const said = { names: ["  Anna ", "", "x".repeat(60)].map(wearerName), none: await kept.last("b1") };
    await kept.save("b1", "Anna", bytes(1, 2));
    await kept.save("b2", "Anna", bytes(3));
    await new Promise((wake) => setTimeout(wake, 5));
    await kept.save("b1", "Bert", bytes(4));
    const again = await Kept.open(factory); // as after a reload
    said.found = [];
    for (const key of [["b1", "Anna"], ["b2", "Anna"], ["b2", "Bert"]]) said.found.push(await again.load(...key));
    said.last = [await again.last("b1"), await again.last("b2")];
    await again.forget("b1", "Bert");
    said.after = [await again.load("b1", "Bert"), await again.last("b1")];
    factory.put({ bundle: "b1", wearer: "Carl", state: "a text", savedMs: 1 });
    said.odd = await again.load("b1", "Carl");

    let saves = 0;
    const device = { saveState: () => bytes(++saves) };
    const keeper = new Keeper(again, "b1", "Dora", device);
    keeper.note();
    said.soon = await again.load("b1", "Dora");
    await new Promise((wake) => setTimeout(wake, 1050));
    keeper.note();
    keeper.note();
    await keeper.finish();
    said.saves = [saves, await again.load("b1", "Dora")];
    await keeper.drop();
    await again.forget("b1", "Dora");
    keeper.note();
    await keeper.finish();
    said.dropped = [saves, await again.load("b1", "Dora")];

    factory.broken = true;
    const refused = async (job) =>
      job().then(
        () => "",
        (error) => [error.constructor.name, error.message],
      );
    const full = new Keeper(again, "b1", "Emil", device);
    said.refused = [
      await refused(() => Kept.open(undefined)),
      await refused(() => again.load("b1", "Anna")),
      await refused(() => full.finish()),
    ];
    return JSON.parse(JSON.stringify(said, (_, value) => (value instanceof Uint8Array ? [...value] : value)));
  },

  /** Unpack archives that came as base64: content by name, or why not. */
  async unzip({ archives }) {
    const { openZip } = await part("companion/zip.js");
    const results = [];
    for (const archive of archives) {
      const file = new File([Buffer.from(archive, "base64")], "x.zip");
      try {
        const members = await openZip(file),
          content = {};
        for (const [name, member] of members)
          content[name] = Buffer.from(await member.read()).toString("base64");
        results.push(content);
      } catch (error) {
        results.push(error.message);
      }
    }
    return results;
  },

  /** Numbers as Python formats them, and measurements of a strap. */
  async words({ shares, measurements }) {
    const { percent } = await part("src/device.js"),
      { parseMeasurement, rmssd } = await part("companion/strap.js");
    const parsed = measurements.map((bytes) => {
      try {
        return parseMeasurement(new DataView(Uint8Array.from(bytes).buffer));
      } catch (error) {
        return error.message;
      }
    });
    return {
      percents: shares.map(percent),
      parsed,
      few: rmssd([1, 1]),
      even: rmssd(new Array(12).fill(0.8)),
    };
  },
};

process.stdout.write(JSON.stringify(await SCENARIOS[given.scenario](given)));
