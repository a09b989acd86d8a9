// SPDX-License-Identifier: Apache-2.0
// example.ts: the whole of the package's types, as a program uses them; compiled, never run.
import {
  BundleError,
  decisionLine,
  decode,
  Device,
  encode,
  GATT_PROFILE,
  InputError,
  MarkError,
  MMQError,
  StateError,
  type Bundle,
  type Decision,
  type Token,
} from "mmq-bridge";

export async function wear(read: (name: string, limit: number) => Promise<Uint8Array>): Promise<string[]> {
  const bundle: Bundle = await Device.openBundle(new URL("https://example.org/bundle/"));
  const device = new Device(bundle, { displayS: 30 });
  const other = await Device.load(read, { core: bundle.core });
  const tokens: Token[] = device.push("ppg", new Float32Array(64), 0);
  device.push("acc", [[0, 0], [0, 0], [1, 1]], 0);
  device.pushCounted("eda", [1, 2, NaN], 2 ** 32 - 1);
  other.advance(5);
  const lines: string[] = [];
  for await (const decision of device.decisions()) {
    const { time_s, probabilities, classes, reason, shown }: Decision = decision;
    const likely: number = probabilities["stress"]![classes["stress"]!]!;
    lines.push(decisionLine(device.asShown(decision), bundle.manifest.simulated));
    lines.push(`${time_s} ${likely} ${reason ?? ""} ${shown?.["stress"]} ${decision.absent["ppg"]?.join()}`);
    const rested: number | null | undefined = device.restedOn()["stress"]?.["ppg"];
    lines.push(`${rested} ${device.enrolment?.words} ${tokens[0]?.decision?.not_enrolled.length}`);
    device.end();
  }
  const used: number = device.mark("stress", 60, 240);
  lines.push(`${used} ${device.personal?.asks?.kind} ${device.enrolmentAt(3).measured["ppg"]}`);
  device.forget();
  try {
    other.loadState(device.saveState());
  } catch (error) {
    if (error instanceof StateError || error instanceof BundleError || error instanceof InputError || error instanceof MarkError) throw error;
    if (error instanceof MMQError) lines.push(error.message);
  }
  lines.push(`${decode("decision", encode("decision", { task: 0 }))["task"]} ${GATT_PROFILE.version}`);
  // @ts-expect-error a sensor is named
  device.push(1, new Float32Array(64), 0);
  // @ts-expect-error times are numbers
  device.push("ppg", new Float32Array(64), "0");
  // @ts-expect-error a decision has no such field
  device.take()[0].timeS;
  return lines;
}
