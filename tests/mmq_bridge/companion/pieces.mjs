// SPDX-License-Identifier: Apache-2.0
// pieces.mjs: parts of the page that need no browser. Usage: node pieces.mjs PAGE_FOLDER < {scenario, ...}, JSON out.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = `${process.argv[2]}/`;
const part = (name) => import(pathToFileURL(folder + name));
const given = JSON.parse(readFileSync(0, "utf8"));
const hex = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("hex");

const SCENARIOS = {
  /** Let the simulated wearer live for some seconds: its samples, and the tokens the core makes of them. */
  async simulate({ header, modalities, seconds }) {
    const { Bridge } = await part("core.js"),
      { readSpec } = await part("spec.js"),
      { simulatorSource } = await part("simulator.js");
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
    const { readSpec } = await part("spec.js"),
      { enrolmentOf } = await part("bundle.js"),
      { Device } = await part("device.js");
    const core = new WebAssembly.Module(readFileSync(`${folder}core.wasm`));
    const model = { predict: async () => ({ stress: [0, 1] }) };
    const one = async ({ header, chunks, untilS }) => {
      const spec = readSpec(header);
      let start = 0;
      const modalities = spec.modalities.map(({ name, fields }) => {
        const first = start;
        start += Number(fields.get("features"));
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
      const device = new Device(bundle, core, model),
        said = [];
      const answer = async (tokens) => {
        for (const token of tokens) {
          const { time_s, reason, not_enrolled } = await device.decide(token);
          said.push({ time_s, reason, not_enrolled });
        }
      };
      for (const { name, samples, timeS } of chunks)
        await answer(device.push(name, Float32Array.from(samples.flat()), timeS));
      await answer(device.advance(untilS));
      return { tokens: bundle.enrolmentTokens, said };
    };
    return Promise.all(cases.map(one));
  },

  /** Unpack archives that came as base64: content by name, or why not. */
  async unzip({ archives }) {
    const { openZip } = await part("zip.js");
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
    const { percent } = await part("device.js"),
      { parseMeasurement, rmssd } = await part("strap.js");
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
