// SPDX-License-Identifier: Apache-2.0
// packed.ts: a program in TypeScript that uses a package with its model; checked, never run.
import { BundleError, type Decision, Device, files, load } from "mmq-wrist-stress";

export async function decide(): Promise<Decision[]> {
  const device = await load({ displayS: 30 }),
    other: Device = new Device(await Device.openBundle(files));
  device.push("ppg", new Float32Array(64), 0);
  // @ts-expect-error the model is the package's own
  await load("bundle/");
  if (!other.names.length) throw new BundleError("no sensor");
  return device.take();
}
