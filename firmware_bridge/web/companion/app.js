// SPDX-License-Identifier: Apache-2.0
// app.js: the page: a bundle is opened, the wearer agrees, a source is played.
import { Device } from "../src/index.js";
import { readE4 } from "./e4.js";
import { chosen, content, dropped, folderWith } from "./files.js";
import { Kept, Keeper, wearerName } from "./kept.js";
import { Problem, sentence } from "./problem.js";
import { recordingSource } from "./replay.js";
import { Session } from "./session.js";
import { simulatorSource } from "./simulator.js";
import { showAbout } from "./view/about.js";
import { Live } from "./view/live.js";
import { connectStrap } from "./view/strap_card.js";

const $ = (selector) => document.querySelector(selector);
const DISPLAY_S = 30; // what is shown of decisions is the average of so many seconds
const state = { bundle: null, session: null, live: null, running: null };
Object.assign(state, { kept: null, keeper: null, turn: 0 });

/** Use a bundle: only when all of it is sound does it take the old one's place. */
async function useBundle(source) {
  const bundle = await Device.openBundle(source, { core: state.bundle?.core });
  const card = await bundle.text("MODEL_CARD.md");
  new Device(bundle); // refuses what the core cannot run, before anything is shown
  state.turn++;
  stop();
  await state.running; // it may be saving what its wearer taught
  state.bundle = bundle;
  showAbout(bundle, card);
  askAgain();
  await busy(recallWearer);
}

/** Another bundle may estimate something else: purpose and consent come first, each time. */
function askAgain() {
  $("#agree").checked = false;
  $("#begin").disabled = true;
  $("#consent").hidden = false;
  $("#session").hidden = $("#live").hidden = $("#simulated").hidden = true;
}

async function play(source) {
  const turn = ++state.turn;
  stop();
  await state.running; // it may be saving what its wearer taught
  const { bundle } = state;
  const device = new Device(bundle, { displayS: DISPLAY_S });
  const keeper = await keeperOf(device);
  if (turn !== state.turn) return; // another one was asked for meanwhile
  state.keeper = keeper;
  note(source);
  state.live = new Live(bundle, device, source, (name, isOn) => session.muted[isOn ? "delete" : "add"](name));
  const { events } = state.live;
  const token = (closed) => {
    events.token(closed);
    keeper?.note();
  };
  const session = new Session(device, source, Number($("#speed").value), { ...events, token });
  state.live.follow(session);
  state.session = session;
  $("#live").hidden = false;
  $("#save").disabled = false;
  setPaused(false);
  state.running = busy(() =>
    session
      .run()
      .finally(() => keeper?.finish())
      .catch(complain)
      .finally(() => {
        showState();
        return showKept();
      }),
  );
}

/** Load what the named wearer taught into a device; what keeps it from then on, or null without a name. */
async function keeperOf(device) {
  const wearer = wearerName($("#wearer").value),
    { digest } = state.bundle;
  if (!wearer) return null;
  state.kept ??= await Kept.open();
  const known = await state.kept.load(digest, wearer);
  try {
    if (known) device.loadState(known);
  } catch (error) {
    complain(new Problem(`${wearer}: ${sentence(error)} Enrolling anew.`));
  }
  return new Keeper(state.kept, digest, wearer, device);
}

/** Name the wearer of this bundle's last session, so that a reload goes on. A browser that keeps nothing says so
 * when a session begins. */
async function recallWearer() {
  try {
    state.kept ??= await Kept.open();
    $("#wearer").value = await state.kept.last(state.bundle.digest);
  } catch {
    $("#wearer").value = "";
  }
  await showKept();
}

let jobs = 0;

/** Do what may change what is kept of a wearer; until all of it is done, what is said of that is marked as busy. */
async function busy(job) {
  const mark = () => $("#kept").setAttribute("aria-busy", String(jobs > 0));
  jobs++;
  mark();
  try {
    return await job();
  } finally {
    jobs--;
    mark();
  }
}

/** Say what is kept of the named wearer. */
const showKept = () => busy(fillKept);

async function fillKept() {
  const wearer = wearerName($("#wearer").value);
  const found = wearer && state.kept?.load(state.bundle.digest, wearer);
  const known = found ? await found.catch(() => null) : null;
  $("#forget").hidden = !known;
  $("#kept").textContent = !wearer ? "" : known ? learnt(known) : "nothing kept yet";
}

function learnt(known) {
  const device = new Device(state.bundle);
  try {
    device.loadState(known);
  } catch (error) {
    return `cannot be used (${sentence(error)})`;
  }
  const { enrolment } = device;
  return enrolment ? `kept: enrolment, ${enrolment.words}` : "kept: enrolled";
}

async function forget() {
  const wearer = wearerName($("#wearer").value);
  await state.keeper?.drop();
  await state.kept.forget(state.bundle.digest, wearer);
  await showKept();
}

/** Say what is simulated, and who trained the model. */
function note({ name, simulated }) {
  const { manifest } = state.bundle;
  const marks = [
    ["model", manifest.simulated],
    ["recording", simulated],
  ]
    .filter(([, is]) => is)
    .map(([what]) => what);
  $("#simulated").textContent = `SIMULATED (${marks.join(" and ")})`;
  $("#simulated").hidden = !marks.length;
  $("#trained").textContent =
    `${name} trained this model: what it says here tells nothing of how good it is.`;
  $("#trained").hidden = !manifest.train_subjects?.includes(name);
}

function stop() {
  state.session?.stop();
  state.live?.rest();
  showState();
}

function setPaused(paused) {
  if (!state.session || state.session.over) return;
  state.session.paused = paused;
  showState();
}

function showState() {
  const { session } = state;
  const isOver = !session || session.over;
  $("#pause").disabled = $("#stop").disabled = isOver;
  $("#pause").textContent = session?.paused && !isOver ? "Go on" : "Pause";
  $("#transport").dataset.state = !session ? "idle" : isOver ? "over" : session.paused ? "paused" : "running";
}

/** Take what was dropped or chosen: a bundle, or a recording. */
async function take(found) {
  const { name, members } = await found;
  const folder = folderWith(members, "manifest.json");
  if (folder !== null) {
    await useBundle((file, limit) => content(members, folder + file, limit));
    return;
  }
  if ($("#session").hidden) throw new Problem("Read and agree first; then drop the recording again.");
  await play(recordingSource(name, await readE4(members), state.bundle));
}

function complain(error) {
  if (!(error instanceof Problem)) console.error(error);
  $("#problem p").textContent = sentence(error);
  $("#problem").hidden = false;
}

async function attempt(job) {
  $("#problem").hidden = true;
  try {
    await job();
    return true;
  } catch (error) {
    complain(error);
    return false;
  }
}

/** One decision a line, as `mmq-tf stream --json` writes them. */
function save() {
  const lines = state.live.lines().map((line) => `${line}\n`);
  const url = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  Object.assign(document.createElement("a"), { href: url, download: "decisions.jsonl" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

function wire() {
  $("#problem-close").addEventListener("click", () => ($("#problem").hidden = true));
  $("#agree").addEventListener("change", ({ target }) => ($("#begin").disabled = !target.checked));
  $("#begin").addEventListener("click", () => {
    $("#consent").hidden = true;
    $("#session").hidden = false;
    $("#simulate").focus();
  });
  $("#simulate").addEventListener("click", () => attempt(() => play(simulatorSource(state.bundle))));
  for (const kind of ["folder", "file"]) {
    const input = $(`#${kind}-input`);
    $(`#open-${kind}`).addEventListener("click", () => input.click());
    input.addEventListener("change", async () => {
      await attempt(() => take(chosen(input.files)));
      input.value = "";
    });
  }
  $("#wearer").addEventListener("change", () => attempt(showKept));
  $("#forget").addEventListener("click", () => attempt(() => busy(forget)));
  $("#strap").addEventListener("click", () => attempt(connectStrap));
  $("#pause").addEventListener("click", () => setPaused(!state.session.paused));
  $("#stop").addEventListener("click", stop);
  $("#speed").addEventListener(
    "change",
    ({ target }) => state.session && (state.session.speed = Number(target.value)),
  );
  $("#average").addEventListener("change", () => state.live?.redraw());
  $("#shown").addEventListener("change", () => state.live?.redraw());
  $("#table-details").addEventListener("toggle", () => state.live?.redraw());
  $("#save").addEventListener("click", save);
  document.addEventListener("keydown", onKey);
  wireDrop();
}

function onKey(event) {
  if (
    !state.live ||
    event.ctrlKey ||
    event.altKey ||
    event.metaKey ||
    event.target.closest?.("select, input, textarea")
  )
    return;
  if (event.key === " " && !event.target.closest?.("button, summary")) {
    event.preventDefault();
    setPaused(!state.session.paused);
  } else if (/^[1-9]$/.test(event.key)) {
    state.live.press(Number(event.key) - 1);
  }
}

function wireDrop() {
  const mark = (on) => document.body.classList.toggle("dropping", on);
  addEventListener("dragover", (event) => {
    event.preventDefault();
    mark(true);
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && mark(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    attempt(() => take(dropped(event.dataTransfer)));
  });
}

wire();
const opened = await attempt(() => useBundle("../bundle/"));
if (!opened) $("#bundle-name").textContent = "No bundle is open; drop one here.";
