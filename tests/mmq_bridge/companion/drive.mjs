// SPDX-License-Identifier: Apache-2.0
// drive.mjs: one Chromium for all tests: a JSON line {scenario, url, ...} comes in, a JSON line goes out.
// Usage: node drive.mjs CHROMIUM
import { createInterface } from "node:readline";

import { chromium } from "playwright-core";

import * as scenarios from "./scenarios.mjs";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--js-flags=--expose-gc",
  "--enable-precise-memory-info",
];
const browser = await chromium.launch({ executablePath: process.argv[2], args: FLAGS });

/** What came over the wire for a request: its address, and bytes without headers. */
const sizeOf = async (request) => ({ url: request.url(), bytes: (await request.sizes()).responseBodySize });

async function answer({ scenario, url, ...given }) {
  const context = await browser.newContext({
    viewport: given.viewport ?? { width: 1200, height: 900 },
    colorScheme: given.scheme ?? "light",
    serviceWorkers: given.isOffline ? "allow" : "block",
  });
  const page = await context.newPage();
  const seen = { requests: [], errors: [] },
    received = [];
  context.on("request", (request) => seen.requests.push(request.url()));
  context.on("requestfinished", (request) => received.push(sizeOf(request)));
  page.on("pageerror", (error) => seen.errors.push(error.message));
  page.on(
    "console",
    (message) => /Content.Security.Policy/i.test(message.text()) && seen.errors.push(message.text()),
  );
  try {
    const result = await scenarios[scenario](page, { url, ...given });
    return { result, ...seen, received: await Promise.all(received) };
  } catch (error) {
    return { failed: `${error.message}\n${await page.textContent("#problem").catch(() => "")}`, ...seen };
  } finally {
    await context.close();
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
await browser.close();
