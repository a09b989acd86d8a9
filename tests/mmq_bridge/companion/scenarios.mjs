// SPDX-License-Identifier: Apache-2.0
// scenarios.mjs: what the tests do in the page; each returns plain data.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import {
  begin,
  drop,
  IDLE_MS,
  inventStrap,
  listen,
  over,
  pauseAt,
  problem,
  recordPushes,
  saved,
  usedS,
  watchMemories,
} from "./steps.mjs";

/** Open what lies at `path` and play it as fast as it goes; what was decided, and what the core gave. */
export async function replay(page, { url, path, isDropped = false }) {
  await watchMemories(page);
  const startMs = await begin(page, url);
  await page.selectOption("#speed", "0");
  await page.evaluate(listen);
  const before = { busyS: await usedS(page), ms: performance.now() };
  if (isDropped) await drop(page, path);
  else await page.setInputFiles("#folder-input", path);
  await over(page);
  const wallS = (performance.now() - before.ms) / 1000,
    busyS = (await usedS(page)) - before.busyS;
  const isTrained = await page.isVisible("#trained");
  return {
    ...(await page.evaluate(() => window.seen)),
    startMs,
    wallS,
    busyS,
    isTrained,
    decisions: await saved(page),
  };
}

/** Drop a bundle on a running session: what is asked and told before it can go on. */
export async function otherBundle(page, { url, path }) {
  await begin(page, url);
  await page.selectOption("#speed", "0");
  await page.click("#simulate");
  await page.waitForFunction(() => document.querySelector("#now-rested").textContent !== "", null, {
    timeout: IDLE_MS,
  });
  await drop(page, path);
  await page.waitForSelector("#consent:not([hidden])");
  const [name, isLive, canBegin] = [
    await page.textContent("#bundle-name"),
    await page.isVisible("#session"),
    await page.isEnabled("#begin"),
  ];
  await page.check("#agree");
  await page.click("#begin");
  await page.click("#simulate");
  await page.waitForFunction(() => document.querySelector("#now-rested").textContent !== "", null, {
    timeout: IDLE_MS,
  });
  return { name, isLive, canBegin };
}

/** What is said of purpose and quality before anything starts. */
export async function purpose(page, { url }) {
  await page.goto(url);
  await page.waitForSelector("#consent:not([hidden])");
  return {
    said: await page.textContent("#consent"),
    canBegin: await page.isEnabled("#begin"),
    isLive: await page.isVisible("#session"),
  };
}

/** Try to reach another host from the page: what its policy says to that. */
export async function leak(page, { url }) {
  await page.goto(url);
  return page.evaluate(async () => {
    const told = new Promise((done) =>
      addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective), { once: true }),
    );
    const answer = await fetch("https://example.org/").then(
      () => "sent",
      () => "refused",
    );
    return { answer, directive: await told };
  });
}

/**
 * A picture of the page (of one view of it on a phone) at some time of a recording, or of the simulated wearer, with
 * sensors switched on the way.
 */
export async function picture(page, { url, path, speed, shown, switches, untilS, view, file }) {
  await begin(page, url);
  await page.selectOption("#speed", speed);
  let start = () => (path ? page.setInputFiles("#folder-input", path) : page.click("#simulate"));
  for (const { atS, key } of [...switches, { atS: untilS }]) {
    await pauseAt(page, atS, start);
    if (!key) break;
    await page.keyboard.press(key);
    start = () => page.click("#pause");
  }
  const isPhone = await page.isVisible("#tabs");
  if (isPhone) await page.click(`#tabs [data-go=${view}]`);
  else await page.selectOption("#shown", shown); // a phone shows the first choice
  await page.evaluate(() => {
    document.activeElement.blur();
    scrollTo(0, 0);
  });
  await page.screenshot({ path: file, fullPage: !isPhone });
  return file;
}

/** Pictures of the simulated wearer one after another, a key pressed before some: `file` has their number for `#`. */
export async function film(page, { url, shown, shots, file }) {
  await begin(page, url);
  await page.selectOption("#speed", "0");
  await page.selectOption("#shown", shown);
  let start = () => page.click("#simulate");
  for (const [number, { atS, key }] of shots.entries()) {
    await pauseAt(page, atS, start);
    if (key) await page.keyboard.press(key);
    await page.evaluate(() => {
      document.activeElement.blur();
      scrollTo(0, 0);
    });
    await page.screenshot({ path: file.replace("#", String(number).padStart(3, "0")) });
    start = () => page.click("#pause");
  }
  return shots.length;
}

/** Play the simulated wearer, switch a sensor off with its key while it is paused, and on again. */
export async function switching(page, { url, sensor, key, untilS, offS }) {
  await begin(page, url);
  await page.selectOption("#speed", "0");
  const card = `[data-sensor=${sensor}]`;
  const offAtS = await pauseAt(page, untilS, () => page.click("#simulate"));
  const before = await page.textContent(`${card} .state span`);
  await page.keyboard.press(key);
  const checked = await page.getAttribute(`${card} .switch`, "aria-checked");
  const goOn = () => page.click("#pause");
  const onAtS = await pauseAt(page, offAtS + offS, goOn);
  const during = await page.textContent(`${card} .state span`);
  await page.keyboard.press(key);
  await pauseAt(page, onAtS + offS, goOn);
  const after = await page.textContent(`${card} .state span`);
  const result = {
    offAtS,
    onAtS,
    before,
    during,
    after,
    checked,
    decisions: await saved(page),
    simulated: await page.textContent("#simulated"),
    isSaid: await page.isVisible("#simulated"),
    rested: await page.locator(".rested .words").allTextContents(),
  };
  await page.click("#stop");
  return result;
}

/** What is shown of the same decisions, newest first, with the average and without; what is saved. */
export async function averaging(page, { url, untilS }) {
  await begin(page, url);
  await page.selectOption("#speed", "0");
  await pauseAt(page, untilS, () => page.click("#simulate"));
  await page.click("#table-details summary");
  await page.waitForSelector("#table-details tbody tr");
  const shown = async () => ({
    isOn: await page.isChecked("#average"),
    now: await page.locator("#now-tasks .chance > span").allTextContents(),
    table: await page.evaluate(() =>
      [...document.querySelectorAll("#table-details tbody tr")].map((row) => row.cells[1].textContent),
    ),
  });
  const said = { first: await shown() };
  await page.uncheck("#average");
  said.off = await shown();
  const raw = await saved(page);
  await page.check("#average");
  return { ...said, again: await shown(), raw, decisions: await saved(page) };
}

/** Play the simulated wearer for a while, under names and without; reload in between; at last forget. */
export async function wearers(page, { url, untilS, damage }) {
  const settled = () =>
    page.waitForFunction(() => document.querySelector("#kept").getAttribute("aria-busy") === "false", null, {
      timeout: IDLE_MS,
    });
  const wear = async (name, seconds) => {
    await page.selectOption("#speed", "0");
    if (name !== null) await page.fill("#wearer", name);
    await pauseAt(page, seconds, () => page.click("#simulate"));
    const lines = await saved(page);
    await page.click("#stop");
    await page.waitForFunction(() => document.querySelector("#transport").dataset.state === "over");
    await settled();
    return lines.map(({ reason }) => reason);
  };
  const shown = async () => {
    await settled();
    return [
      await page.inputValue("#wearer"),
      await page.textContent("#kept"),
      await page.isVisible("#forget"),
      await page.locator("#which option").allTextContents().then((names) => names.map((name) => name.split(", ").at(-1))),
      await page.isVisible("#plot"),
    ];
  };
  const reload = () => begin(page, url);
  await reload();
  const said = { start: await shown(), nameless: await wear(null, untilS), unnamed: await shown() };
  await reload();
  said.still = await shown();
  said.first = await wear(" Anna ", untilS);
  said.after = await shown();
  await reload();
  said.reloaded = await shown();
  said.second = await wear(null, 12);
  if (damage) {
    await page.evaluate(async () => {
      const { Kept } = await import("/companion/kept.js"),
        { openBundle } = await import("/src/bundle.js");
      const read = async (name) => new Uint8Array(await (await fetch(`/bundle/${name}`)).arrayBuffer());
      const { digest } = await openBundle(read),
        kept = await Kept.open();
      const state = await kept.load(digest, "Anna");
      state[30] ^= 1;
      await kept.save(digest, "Anna", state);
    });
    await reload();
    said.damaged = await shown();
    said.third = await wear(null, 12);
    said.problem = await problem(page);
    said.renewed = await shown();
  }
  await page.click("#forget");
  said.forgotten = await shown();
  await reload();
  said.end = await shown();
  said.other = await wear("Bert", 12);
  await reload();
  said.kept = await shown();
  page.once("dialog", (dialog) => dialog.accept());
  await page.click("#forget-all");
  said.none = await shown();
  said.databases = await page.evaluate(async () => {
    const { Kept } = await import("/companion/kept.js"),
      kept = await Kept.open();
    const digest = "any";
    return [await kept.last(digest), (await kept.sessions(digest, "Bert")).size, localStorage.length];
  });
  return said;
}

/** The sentence shown for files that are chosen: [{name, content (base64)}] each; and for files of this machine. */
export async function refusals(page, { url, cases = [], paths = [] }) {
  await begin(page, url);
  const sentences = [];
  for (const path of paths) {
    await page.setInputFiles("#file-input", path);
    sentences.push(await problem(page));
    await page.click("#problem-close");
  }
  for (const files of cases) {
    const given = files.map(({ name, content }) => ({
      name,
      mimeType: "",
      buffer: Buffer.from(content, "base64"),
    }));
    await page.setInputFiles("#file-input", given);
    sentences.push(await problem(page));
    await page.click("#problem-close");
  }
  return sentences;
}

/** What a page says whose bundle is broken. */
export async function broken(page, { url }) {
  await page.goto(url);
  return {
    sentence: await problem(page),
    consent: await page.isVisible("#consent"),
    name: await page.textContent("#bundle-name"),
  };
}

/** A made-up strap: the notifications of `values` (lists of bytes), then it goes out of reach. */
export async function strap(page, { url, values, refuses }) {
  await inventStrap(page, refuses);
  await begin(page, url);
  await page.click("#strap");
  if (refuses) {
    const sentence = await problem(page);
    await page.selectOption("#language", "de");
    return { sentence, german: await problem(page) };
  }
  await page.waitForSelector("#strap-card:not([hidden])");
  const facts = [];
  for (const bytes of values) {
    await page.evaluate((given) => window.notify(given), bytes);
    facts.push(await page.locator("#strap-facts b").allTextContents());
  }
  await page.click("#strap-off");
  facts.push(await page.locator("#strap-facts b").allTextContents());
  return {
    facts,
    use: await page.textContent("#strap-use"),
    options: await page.evaluate(() => window.options),
    service: await page.evaluate(() => window.service),
    state: await page.getAttribute("#transport", "data-state"),
  };
}

/**
 * A made-up strap that tells of a beat every `ticks`/1024 s, and for `silentS` of none: what the page decides, and what it
 * gave its device for that. The page's clock is this scenario's.
 */
export async function strapDecides(page, { url, ticks, beats, silentS }) {
  await inventStrap(page);
  await page.clock.install({ time: 0 });
  await begin(page, url);
  await page.clock.pauseAt(3_600_000); // from now on it goes on only where this says so
  await page.evaluate(recordPushes);
  await page.click("#strap");
  await page.waitForSelector("#strap-card:not([hidden])");
  const beat = [0b10110, Math.round((60 * 1024) / ticks), ticks & 255, ticks >> 8];
  const pass = async (ms) => {
    for (let i = 0; i < 2; i++) await page.clock.fastForward(Math.round(ms / 2)); // a step is a second
  };
  for (let i = 0; i < beats; i++) {
    await page.evaluate((given) => window.notify(given), beat);
    await pass((1000 * ticks) / 1024);
  }
  const shown = async () => ({
    now: await page.textContent("#now-tasks .class"),
    sensor: await page.textContent("[data-sensor=ecg] .state span"),
  });
  const worn = await shown();
  await page.click("#strap-off");
  for (let i = 0; i < silentS; i++) await pass(1000);
  return {
    worn,
    lost: await shown(),
    use: await page.textContent("#strap-use"),
    facts: await page.locator("#strap-facts b").allTextContents(),
    pushed: await page.evaluate(() => window.pushed),
    decisions: await saved(page),
  };
}

/** How the page stands in each of its views: what is wider than it, what axe finds, what the newest row says. */
export async function standing(page, { url }) {
  await begin(page, url);
  await page.evaluate(readFileSync(fileURLToPath(import.meta.resolve("axe-core/axe.min.js")), "utf8"));
  await page.selectOption("#speed", "0");
  await page.click("#simulate");
  await page.waitForFunction(() => document.querySelector("#now-rested").textContent !== "", null, {
    timeout: IDLE_MS,
  });
  await page.click("#pause");
  const found = { violations: [], passes: 0, widths: [], grounds: [] };
  await page.click("#table-details summary");
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 740 });
    const isPhone = await page.isVisible("#tabs");
    for (const scheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme: scheme });
      for (const view of isPhone ? ["now", "history", "sensors", "more"] : ["all"]) {
        if (isPhone) await page.click(`#tabs [data-go=${view}]`);
        const seen = await page.evaluate(async () => {
          const { violations, passes } = await axe.run(document, { resultTypes: ["violations"] });
          const { documentElement } = document;
          return {
            violations: violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html.slice(0, 120))]),
            passes: passes.length,
            width: documentElement.scrollWidth,
            ground: getComputedStyle(documentElement).getPropertyValue("--paper").trim(),
          };
        });
        found.violations.push(...seen.violations.map((one) => [width, scheme, view, ...one]));
        found.passes += seen.passes;
        found.widths.push([width, seen.width]);
        found.grounds.push(seen.ground);
      }
    }
  }
  await page.waitForSelector("#table-details tbody tr");
  return page.evaluate(
    (found) => ({
      ...found,
      row: [...document.querySelector("#table-details tbody tr").cells].map((cell) => cell.textContent),
    }),
    found,
  );
}

/** Go through the page with the keyboard only, from the top to a running session. */
export async function keyboard(page, { url }) {
  await page.goto(url);
  await page.waitForSelector("#consent:not([hidden])");
  const focused = () => page.evaluate(() => document.activeElement.id);
  await page.keyboard.press("Tab");
  const language = await focused();
  await page.keyboard.press("Tab");
  const first = await focused();
  await page.keyboard.press("Space");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const second = await focused();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#transport").dataset.state === "running");
  return { language, first, second };
}

/** Wear a session through the package, or one that holds its model, in the page or in a worker. */
export async function wearing(page, { url, session, isWorker, entry = "/src/index.js" }) {
  await page.goto(url);
  return page.evaluate(
    async ({ session, isWorker, entry }) => {
      if (!isWorker) {
        const { wear } = await import("/wear.js"),
          mmq = await import(entry);
        return wear(mmq, mmq.files ?? "/bundle/", session);
      }
      const worker = new Worker("/wear.js", { type: "module" });
      return new Promise((done, fail) => {
        worker.onmessage = ({ data }) => done(data);
        worker.onerror = ({ message }) => fail(new Error(message));
        worker.postMessage(session);
      });
    },
    { session, isWorker, entry },
  );
}

/** Mark two stretches in the chart of a bundle with a personal head; what is said, and whether it is kept. */
export async function marking(page, { url, untilS }) {
  await begin(page, url);
  await page.fill("#wearer", "Anna");
  await page.selectOption("#speed", "0");
  await pauseAt(page, untilS, () => page.click("#simulate"));
  const awaited = await page.isVisible("#awaited");
  const box = await page.locator("#plot").boundingBox();
  const at = (share) => [box.x + share * box.width, box.y + 40];
  const span = () => page.textContent("#mark-as span");
  const drag = async (from, to, label) => {
    await page.mouse.move(...at(from));
    await page.mouse.down();
    await page.mouse.move(...at(to), { steps: 3 });
    await page.mouse.up();
    const asked = await span();
    await page.click(`#mark-as button:text-is("${label}")`);
    return asked;
  };
  await page.mouse.move(...at(0.5));
  const tip = await page.textContent("#tip");
  await page.mouse.click(...at(0.5));
  const pick = await page.textContent("#pick");
  const asked = [await drag(0.1, 0.25, "rest"), await drag(0.35, 0.5, "stress")];
  const said = {
    awaited,
    tip,
    pick,
    asked,
    marks: await page.locator("#mark-list li").allTextContents(),
    text: await page.textContent("#marks-text"),
  };
  await drag(0.2, 0.4, "rest");
  said.overlap = await problem(page);
  await page.focus("#plot");
  for (const key of ["ArrowLeft", "Shift+ArrowLeft", "Shift+ArrowLeft"]) await page.keyboard.press(key);
  said.byKeys = await span();
  await page.keyboard.press("Escape");
  await page.click("#zoom-in");
  said.zoomed = await page.getAttribute("#chances canvas", "aria-label");
  await page.click("#stop");
  await page.waitForFunction(() => document.querySelector("#kept").getAttribute("aria-busy") === "false");
  said.kept = await page.textContent("#kept");
  await begin(page, url);
  await page.waitForSelector("#mark-list li");
  said.again = await page.locator("#mark-list li").allTextContents();
  await page.selectOption("#language", "de");
  said.german = [await page.textContent("#history-title"), await page.textContent("#kept"), await page.textContent("#simulate")];
  return said;
}

/** What is said while nothing can be decided yet, some seconds after the start. */
export async function awaiting(page, { url, untilS }) {
  await begin(page, url);
  const before = await page.textContent("#now-reason");
  await page.selectOption("#speed", "60");
  await pauseAt(page, untilS, () => page.click("#simulate"));
  return {
    before,
    title: await page.textContent("#awaited-title"),
    first: await page.textContent("#awaited-first"),
    shares: await page.locator("#awaited .progress span").allTextContents(),
  };
}

/** Load the page, take the network away, and open it again. */
export async function offline(page, { url }) {
  await begin(page, url);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload(); // from now on the worker answers
  await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
  await page.context().setOffline(true);
  await begin(page, `${url}companion/`);
  await page.selectOption("#speed", "60");
  await page.click("#simulate");
  await page.waitForFunction(() => document.querySelector("#awaited .progress") !== null, null, { timeout: IDLE_MS });
  const manifest = await page.evaluate(async () => (await fetch("manifest.webmanifest")).json());
  return { name: await page.textContent("#bundle-name"), start: manifest.start_url, icons: manifest.icons.length };
}
