// SPDX-License-Identifier: Apache-2.0
// steps.mjs: what several scenarios do in the page.
export const IDLE_MS = 300000; // patience with a busy machine

/** Open the page and agree; how long it took until there was something to agree to, in ms. */
export async function begin(page, url) {
  const startMs = performance.now();
  await page.goto(url);
  await page.waitForSelector("#consent:not([hidden])");
  const readyMs = performance.now();
  await page.check("#agree");
  await page.click("#begin");
  return readyMs - startMs;
}

export const problem = async (page) => {
  await page.waitForSelector("#problem:not([hidden])");
  return page.textContent("#problem p");
};

export const over = (page) =>
  page.waitForFunction(
    () => {
      const state = document.querySelector("#transport").dataset.state;
      return state === "over" || !document.querySelector("#problem").hidden;
    },
    null,
    { timeout: IDLE_MS },
  );

export async function saved(page) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  let text = "";
  for await (const piece of await download.createReadStream()) text += piece;
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** Drop a file or a folder of this machine on the page, as the browser's own drag and drop does. */
export async function drop(page, path) {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [path], dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"])
    await session.send("Input.dispatchDragEvent", { type, x: 300, y: 300, data });
}

/** Processor time that the page's process has taken, in s: what else the machine does is not in it. */
export async function usedS(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const { metrics } = await session.send("Performance.getMetrics");
  return metrics.find(({ name }) => name === "ProcessTime").value;
}

/** Keep every WebAssembly memory there is, to ask for its size. */
export const watchMemories = (page) =>
  page.addInitScript(() => {
    window.memories = new Set();
    const keep = (exports) =>
      Object.values(exports).forEach(
        (value) => value instanceof WebAssembly.Memory && window.memories.add(value),
      );
    const { instantiate, instantiateStreaming, Instance } = WebAssembly;
    const watched =
      (make) =>
      async (...given) => {
        const made = await make(...given);
        keep((made.instance ?? made).exports);
        return made;
      };
    WebAssembly.instantiate = watched(instantiate);
    WebAssembly.instantiateStreaming = watched(instantiateStreaming);
    WebAssembly.Instance = function (...given) {
      const made = new Instance(...given);
      keep(made.exports);
      return made;
    };
  });

/** Write down features and memory as the page's own device makes decisions. */
export async function listen() {
  const EVERY = 150;
  const { Device } = await import("/src/device.js");
  const hex = (values) =>
    [...new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]
      .map((byte) => byte.toString(16).padStart(2, "0"))
      .join("");
  window.seen = { features: [], heap: [], wasm: [] };
  const sizes = () => [...window.memories].reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
  const see = ({ features, decision }) => {
    window.seen.features.push(hex(features));
    window.seen.durationS = decision.time_s;
    if (window.seen.features.length % EVERY === 0) {
      window.gc();
      window.seen.heap.push(performance.memory.usedJSHeapSize);
      window.seen.wasm.push(sizes());
    }
  };
  for (const name of ["push", "advance"]) {
    const feed = Device.prototype[name];
    Device.prototype[name] = function (...given) {
      const tokens = feed.apply(this, given);
      tokens.filter(({ decision }) => decision).forEach(see);
      return tokens;
    };
  }
}

/** Let the page itself press Pause with the first step that ends after so many seconds: no load can make it late. */
async function arm(seconds) {
  if (window.pauseAtS === undefined) {
    const { Live } = await import("/companion/view/live.js");
    const { get } = Object.getOwnPropertyDescriptor(Live.prototype, "events");
    const events = function () {
      const told = get.call(this);
      const step = (given) => {
        told.step(given);
        if (given.nowS < window.pauseAtS) return;
        window.pauseAtS = Infinity;
        document.querySelector("#pause").click();
      };
      return { ...told, step };
    };
    Object.defineProperty(Live.prototype, "events", { get: events });
  }
  window.pauseAtS = seconds;
}

/** Start or resume a session, and pause it once it has come to so many seconds; what the clock shows then. */
export async function pauseAt(page, seconds, start) {
  await page.evaluate(arm, seconds);
  await start();
  await page.waitForFunction(() => document.querySelector("#transport").dataset.state === "paused", null, {
    timeout: IDLE_MS,
  });
  const drawn = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  await page.evaluate(drawn); // what was played last is shown with the next frame
  return page.evaluate(() => {
    const parts = document.querySelector("#clock").textContent.split(" ")[0].split(":").map(Number);
    return parts.reduce((sum, part) => 60 * sum + part, 0);
  });
}

/** Give the page a Bluetooth strap of the test's making: `notify(bytes)` is its notification. */
export const inventStrap = (page, refuses = false) =>
  page.addInitScript((refuses) => {
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

/** Write down what the page gives its device: [sensor, samples (hex), time], or [null, "", time] for an advance. */
export async function recordPushes() {
  const { Device } = await import("/src/device.js"),
    { push, advance } = Device.prototype;
  const hex = (values) => [...new Uint8Array(values.buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  window.pushed = [];
  Device.prototype.push = function (name, samples, timeS) {
    window.pushed.push([name, hex(samples), timeS]);
    return push.call(this, name, samples, timeS);
  };
  Device.prototype.advance = function (timeS) {
    window.pushed.push([null, "", timeS]);
    return advance.call(this, timeS);
  };
}
