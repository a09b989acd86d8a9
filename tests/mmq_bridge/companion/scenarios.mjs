// SPDX-License-Identifier: Apache-2.0
// scenarios.mjs: what the tests do in the page; each returns plain data.
import {
  begin,
  drop,
  IDLE_MS,
  listen,
  over,
  pauseAt,
  problem,
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

/** A picture of the page at some time of a recording (or of the simulated wearer), with sensors switched on the way. */
export async function picture(page, { url, path, speed, shown, switches, untilS, file }) {
  await begin(page, url);
  await page.selectOption("#speed", speed);
  await page.selectOption("#shown", shown);
  let start = () => (path ? page.setInputFiles("#folder-input", path) : page.click("#simulate"));
  for (const { atS, key } of [...switches, { atS: untilS }]) {
    await pauseAt(page, atS, start);
    if (!key) break;
    await page.keyboard.press(key);
    start = () => page.click("#pause");
  }
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path: file, fullPage: true });
  return file;
}

/** Play the simulated wearer, switch a sensor off with its key while it is paused, and on again. */
export async function switching(page, { url, sensor, key, untilS, offS }) {
  await begin(page, url);
  await page.selectOption("#speed", "60");
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
  await page.selectOption("#speed", "60");
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
    await page.selectOption("#speed", "60");
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
  await page.addInitScript((refuses) => {
    const characteristic = new EventTarget();
    characteristic.startNotifications = async () => {};
    const device = Object.assign(new EventTarget(), { name: "Made-up strap" });
    device.gatt = {
      connect: async () => ({
        getPrimaryService: async (name) => (
          (window.service = name),
          { getCharacteristic: async () => characteristic }
        ),
      }),
      disconnect: () => device.dispatchEvent(new Event("gattserverdisconnected")),
    };
    const requestDevice = async (options) => {
      window.options = options;
      if (refuses) throw new DOMException("User cancelled", "NotFoundError");
      return device;
    };
    Object.defineProperty(Navigator.prototype, "bluetooth", { value: { requestDevice }, configurable: true });
    window.notify = (bytes) => {
      characteristic.value = new DataView(Uint8Array.from(bytes).buffer);
      characteristic.dispatchEvent(new Event("characteristicvaluechanged"));
    };
  }, refuses);
  await begin(page, url);
  await page.click("#strap");
  if (refuses) return { sentence: await problem(page) };
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
    options: await page.evaluate(() => window.options),
    service: await page.evaluate(() => window.service),
  };
}

/** How the page stands on a phone: what is wider than it, what has no name, how strong its colours stand out. */
export async function standing(page, { url }) {
  await begin(page, url);
  await page.selectOption("#speed", "60");
  await page.click("#simulate");
  await page.waitForFunction(() => document.querySelector("#now-rested").textContent !== "", null, {
    timeout: IDLE_MS,
  });
  await page.click("#pause");
  await page.click("#table-details summary");
  await page.waitForSelector("#table-details tbody tr");
  return page.evaluate(() => {
    const style = getComputedStyle(document.documentElement);
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const light = (name) => {
      const bytes = style
        .getPropertyValue(name)
        .trim()
        .slice(1)
        .match(/../g)
        ?.map((pair) => linear(parseInt(pair, 16) / 255)) ?? [1, 1, 1];
      return 0.2126 * bytes[0] + 0.7152 * bytes[1] + 0.0722 * bytes[2];
    };
    const contrast = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
    const named = (item) =>
      (item.getAttribute("aria-label") || item.textContent || item.labels?.[0]?.textContent || "").trim();
    return {
      row: [...document.querySelector("#table-details tbody tr").cells].map((cell) => cell.textContent),
      width: document.documentElement.scrollWidth,
      inner: innerWidth,
      nameless: [...document.querySelectorAll("button, select, input:not([hidden]), canvas")]
        .filter((item) => !named(item))
        .map((item) => item.outerHTML.slice(0, 80)),
      contrast: ["--ink", "--muted", "--accent", "--measured", "--faulty"].map((name) => [
        name,
        contrast(name, "--paper"),
      ]),
      ground: style.getPropertyValue("--paper").trim(),
    };
  });
}

/** Go through the page with the keyboard only, from the top to a running session. */
export async function keyboard(page, { url }) {
  await page.goto(url);
  await page.waitForSelector("#consent:not([hidden])");
  const focused = () => page.evaluate(() => document.activeElement.id);
  await page.keyboard.press("Tab");
  const first = await focused();
  await page.keyboard.press("Space");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const second = await focused();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector("#transport").dataset.state === "running");
  return { first, second };
}

/** Wear a session through the package, in the page or in a worker. */
export async function wearing(page, { url, session, isWorker }) {
  await page.goto(url);
  return page.evaluate(
    async ({ session, isWorker }) => {
      if (!isWorker) {
        const { wear } = await import("/wear.js");
        return wear(await import("/src/index.js"), "/bundle/", session);
      }
      const worker = new Worker("/wear.js", { type: "module" });
      return new Promise((done, fail) => {
        worker.onmessage = ({ data }) => done(data);
        worker.onerror = ({ message }) => fail(new Error(message));
        worker.postMessage(session);
      });
    },
    { session, isWorker },
  );
}
