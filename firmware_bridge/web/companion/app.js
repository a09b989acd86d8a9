// SPDX-License-Identifier: Apache-2.0
// app.js: the page: a bundle is opened, the wearer agrees, a source is played.
import { Device, MMQError } from "../src/index.js";
import { readE4 } from "./e4.js";
import { chosen, content, dropped, folderWith } from "./files.js";
import { Kept, Keeper, wearerName } from "./kept.js";
import { registered } from "./offline.js";
import { Problem, sentence } from "./problem.js";
import { recordingSource } from "./replay.js";
import { Session } from "./session.js";
import { simulatorSource } from "./simulator.js";
import { currentLanguage, fillStrings, LANGUAGES, named, reasonText, speak, t } from "./strings.js";
import { showAbout } from "./view/about.js";
import { Average } from "./view/average.js";
import { showAwaited } from "./view/awaited.js";
import { Live } from "./view/live.js";
import { askMark, showMarks } from "./view/marks.js";
import { History } from "./view/memory.js";
import { element, showNow } from "./view/now.js";
import { connectStrap } from "./view/strap_card.js";
import { Timeline } from "./view/timeline.js";

const $ = (selector) => document.querySelector(selector);
const DISPLAY_S = 30; // what is shown of decisions is the average of so many seconds
const state = { bundle: null, card: "", device: null, session: null, live: null, running: null };
Object.assign(state, { kept: null, keeper: null, timeline: null, average: null, turn: 0 });
Object.assign(state, { sessions: new Map(), shown: null, offline: false, problem: null });

/** Use a bundle: only when all of it is sound does it take the old one's place. */
async function useBundle(source) {
  const bundle = await Device.openBundle(source, { core: state.bundle?.core });
  const card = await bundle.text("MODEL_CARD.md");
  const viewer = new Device(bundle); // refuses what the core cannot run, before anything is shown
  state.turn++;
  stop();
  await state.running; // it may be saving what its wearer taught
  Object.assign(state, { bundle, card, live: null, device: null, session: null, sessions: new Map(), shown: null });
  state.average = new Average(viewer);
  $("#sensor-list").replaceChildren();
  $("#clock").textContent = "00:00";
  begin();
  askAgain();
  await busy(recallWearer);
}

/** Fill what a bundle fills, in the language of now. */
function begin() {
  const { bundle, card, average, offline } = state;
  showAbout(bundle, card, offline);
  state.timeline = new Timeline(bundle, average.view, choose);
  state.timeline.lengthS = Number($("#shown").value);
  if (!state.live) {
    showNow(null, bundle.manifest.decision.tasks, null, {}, false);
    showAwaited(null);
  }
  drawHistory();
}

/** Another bundle may estimate something else: purpose and consent come first, each time. */
function askAgain() {
  $("#agree").checked = false;
  $("#begin").disabled = true;
  $("#consent").hidden = false;
  $("#session").hidden = $("#tabs").hidden = $("#simulated").hidden = true;
}

async function play(source) {
  const turn = ++state.turn;
  stop();
  await state.running; // it may be saving what its wearer taught
  const { bundle } = state;
  const device = new Device(bundle, { displayS: DISPLAY_S });
  const learnt = await stateOf(device);
  if (turn !== state.turn) return; // another one was asked for meanwhile
  note(source);
  const live = new Live(bundle, device, source, { view: state.average.view, onSwitch: mute, onDraw: drawHistory });
  const keeper = learnt && new Keeper(state.kept, bundle.digest, learnt.wearer, device, live.journal);
  const { events } = live;
  const token = (closed) => {
    events.token(closed);
    keeper?.note();
  };
  const session = new Session(device, source, Number($("#speed").value), { ...events, token });
  Object.assign(state, { live, device, session, keeper, shown: null });
  live.follow(session);
  listSessions();
  choose(null);
  $("#save").disabled = false;
  setPaused(false);
  if ($("#tabs").checkVisibility()) go("now"); // a phone's first screen
  state.running = busy(() =>
    session
      .run()
      .finally(() => keeper?.finish())
      .catch(complain)
      .finally(async () => {
        showState();
        await readSessions();
        return showKept();
      }),
  );
}

const mute = (name, isOn) => state.session.muted[isOn ? "delete" : "add"](name);

/** Load what the named wearer taught into a device: {wearer}, or null without a name. */
async function stateOf(device) {
  const wearer = wearerName($("#wearer").value);
  if (!wearer) return null;
  state.kept ??= await Kept.open();
  const known = await state.kept.load(state.bundle.digest, wearer);
  try {
    if (known) device.loadState(known);
  } catch (error) {
    complain(new Problem("enrolAnew", { wearer, why: error }));
  }
  return { wearer };
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
  await changeWearer();
}

async function changeWearer() {
  state.shown = null;
  await readSessions();
  if (!state.live) state.shown = [...state.sessions.keys()].at(-1) ?? null;
  listSessions();
  drawHistory();
  await showKept();
}

/** The sessions that are kept of the named wearer. */
async function readSessions() {
  const wearer = wearerName($("#wearer").value),
    found = wearer && state.kept?.sessions(state.bundle.digest, wearer).catch(() => null);
  state.sessions = (found && (await found)) || new Map();
  listSessions();
}

/** Offer the sessions there are to see. */
function listSessions() {
  const { sessions, live, shown } = state,
    when = new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "medium", timeStyle: "short" });
  const earlier = [...sessions].filter(([startedMs]) => startedMs !== live?.startedMs).reverse();
  const options = earlier.map(([startedMs, [{ name }]]) => option(startedMs, `${when.format(startedMs)}, ${named("source", name)}`));
  if (live) options.unshift(option("", t("thisSession")));
  $("#which").replaceChildren(...options);
  $("#which").value = String(shown ?? "");
  $("#which").hidden = !earlier.length;
}

const option = (value, text) => Object.assign(element("option", "", text), { value: String(value) });

/** Draw the session that is chosen: the running one, or an earlier one as it was kept. */
function drawHistory() {
  const { timeline, live, device, bundle, shown, sessions } = state,
    parts = sessions.get(shown);
  const hasHead = Boolean(bundle.head);
  if (!parts) {
    const marks = device?.personal?.marks ?? [];
    timeline.show(live?.history ?? new History(bundle.modalities.length), marks);
    showMarks(marks, hasHead, device?.personal);
    return;
  }
  if (state.restored?.parts !== parts) {
    const history = new History(bundle.modalities.length);
    parts.forEach((part) => history.restore(part));
    state.restored = { parts, history };
  }
  const { marks } = parts.at(-1);
  timeline.show(state.restored.history, marks);
  showMarks(marks, hasHead, null);
}

/** A stretch was chosen in the chart: ask what it was, where the running session can learn it. */
function choose(range) {
  const personal = state.shown === null ? state.device?.personal : null;
  const onMark = (label) => {
    attempt(() => state.device.mark(label, ...range));
    state.timeline.choose(null);
    drawHistory();
    return state.keeper?.flush();
  };
  askMark(range, personal?.classes, onMark, () => state.timeline.choose(null));
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
  $("#kept").textContent = !wearer ? "" : known ? learnt(known) : t("nothingKept");
}

function learnt(known) {
  const device = new Device(state.bundle);
  try {
    device.loadState(known);
  } catch (error) {
    return t("keptBroken", { why: sentence(error) });
  }
  const { enrolment, personal } = device;
  const said = enrolment ? t("keptEnrolling", { words: reasonText(enrolment.words) }) : t("keptEnrolled");
  return personal?.head.count ? `${said}, ${t("keptMarks", { count: personal.head.count })}` : said;
}

async function forget() {
  const wearer = wearerName($("#wearer").value);
  await state.keeper?.drop();
  await state.kept.forget(state.bundle.digest, wearer);
  await changeWearer();
}

async function forgetAll() {
  if (!confirm(t("forgetAllAsk"))) return;
  stop();
  await state.keeper?.drop();
  state.kept ??= await Kept.open();
  await state.kept.forgetAll();
  speak(null);
  $("#wearer").value = "";
  await changeWearer();
  $("#announce").textContent = t("forgotAll");
}

/** Say what is simulated, and who trained the model. */
function note({ name, simulated }) {
  const { manifest } = state.bundle;
  const marks = [
    ["model", manifest.simulated],
    ["recording", simulated],
  ]
    .filter(([, is]) => is)
    .map(([what]) => t(what));
  $("#simulated").textContent = t("simulated", { what: marks.join(t("and")) });
  $("#simulated").hidden = !marks.length;
  $("#trained").textContent = t("trained", { name });
  const isIts = (subject) => subject === name || subject.endsWith(`-${name}`); // pooled sets name theirs SET-SUBJECT
  $("#trained").hidden = !manifest.train_subjects?.some(isIts);
  state.source = { name, simulated };
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
  if (paused) state.live.redraw(); // as fast as it goes not every frame is drawn
}

function showState() {
  const { session } = state;
  const isOver = !session || session.over;
  $("#pause").disabled = $("#stop").disabled = isOver;
  $("#pause").textContent = t(session?.paused && !isOver ? "goOn" : "pause");
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
  if ($("#session").hidden) throw new Problem("agreeFirst");
  await play(recordingSource(name, await readE4(members), state.bundle));
}

function complain(error) {
  if (!(error instanceof MMQError)) console.error(error);
  state.problem = error;
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

/** Say everything in another language. */
function reword(name) {
  speak(name);
  fillStrings(document);
  showState();
  if (state.problem) $("#problem p").textContent = sentence(state.problem);
  if (!state.bundle) return;
  begin();
  state.live?.reword(mute);
  if (state.source && state.live) note(state.source);
  listSessions();
  showKept();
}

/** On a phone one part is seen at a time. */
function go(view) {
  document.body.dataset.view = view;
  for (const tab of $("#tabs").children) {
    if (tab.dataset.go === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
  scrollTo(0, 0);
  state.timeline?.draw();
  state.live?.redraw();
}

function wire() {
  $("#language").replaceChildren(...Object.entries(LANGUAGES).map(([name, title]) => option(name, title)));
  $("#language").value = currentLanguage();
  $("#language").addEventListener("change", ({ target }) => reword(target.value));
  for (const tab of $("#tabs").children) tab.addEventListener("click", () => go(tab.dataset.go));
  $("#problem-close").addEventListener("click", () => ($("#problem").hidden = true));
  $("#agree").addEventListener("change", ({ target }) => ($("#begin").disabled = !target.checked));
  $("#begin").addEventListener("click", () => {
    $("#consent").hidden = true;
    $("#session").hidden = $("#tabs").hidden = false;
    drawHistory();
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
  $("#wearer").addEventListener("change", () => attempt(changeWearer));
  $("#forget").addEventListener("click", () => attempt(() => busy(forget)));
  $("#forget-all").addEventListener("click", () => attempt(() => busy(forgetAll)));
  $("#forget-marks").addEventListener("click", () => {
    state.device.forget();
    drawHistory();
    return state.keeper?.flush();
  });
  $("#which").addEventListener("change", ({ target }) => {
    state.shown = target.value ? Number(target.value) : null;
    state.timeline.choose(null);
    drawHistory();
  });
  $("#strap").addEventListener("click", () => attempt(() => connectStrap(state.bundle, (source) => attempt(() => play(source)))));
  $("#pause").addEventListener("click", () => setPaused(!state.session.paused));
  $("#stop").addEventListener("click", stop);
  $("#speed").addEventListener(
    "change",
    ({ target }) => state.session && (state.session.speed = Number(target.value)),
  );
  $("#average").addEventListener("change", () => (state.live ? state.live.redraw() : drawHistory()));
  $("#shown").addEventListener("change", ({ target }) => (state.timeline.lengthS = Number(target.value)));
  $("#table-details").addEventListener("toggle", () => state.live?.redraw());
  $("#save").addEventListener("click", save);
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => document.hidden && state.keeper?.flush());
  addEventListener("resize", () => state.bundle && drawHistory());
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

fillStrings(document);
wire();
const opened = await attempt(() => useBundle("../bundle/"));
if (!opened) $("#bundle-name").textContent = t("noBundle");
state.offline = await registered();
if (state.bundle) showAbout(state.bundle, state.card, state.offline);
