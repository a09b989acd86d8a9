// SPDX-License-Identifier: Apache-2.0
// now.js: the newest decision: classes with their probabilities, or why there is none.
import { colour } from "./canvas.js";
import { percentOf, restedMost } from "./words.js";

/** Show a decision of {task: classes}; what it rested on is that of the decision as it was made. */
export function showNow(decision, tasks, made = decision, rested = {}) {
  const several = Object.keys(tasks).length > 1;
  const blocks = Object.entries(tasks).map(([task, classes]) => taskBlock(decision, task, classes, several));
  document.querySelector("#now-tasks").replaceChildren(...blocks);
  document.querySelector("#now-reason").textContent = decision
    ? reasonOf(decision)
    : "Waiting for the first samples.";
  document.querySelector("#now-rested").textContent = restedOn(decision, made, rested);
}

/** What the newest decision rested on; where the average shows another class, it says so. */
function restedOn(decision, made, rested) {
  const sentences = Object.entries(rested).map(([task, changes]) => {
    const best = made.classes[task];
    const words = restedMost(changes, best);
    return words && best !== decision.classes[task] ? `The newest alone: ${words}` : words;
  });
  return sentences.join(" ");
}

function reasonOf({ abstained, probabilities, reason, not_enrolled }) {
  const enrolled = not_enrolled.length ? `Not enrolled: ${not_enrolled.join(", ")}.` : "";
  if (!abstained) return enrolled;
  return `${enrolled && `${enrolled} `}${Object.keys(probabilities).length ? "Abstains" : "No decision"}: ${reason}.`;
}

/** A decision in one sentence, without numbers that change each time. */
export function spoken(decision) {
  const classes = Object.entries(decision.classes).map(([task, name]) => `${task}: ${name}`);
  if (!classes.length) return `No decision: ${decision.reason.replace(/ \(.*/, "")}`;
  return `${classes.join(", ")}${decision.abstained ? ", but it abstains: not sure enough" : ""}`;
}

function taskBlock(decision, task, classes, named) {
  const block = element("div", "task");
  const values = decision?.probabilities[task];
  const best = decision?.classes[task] ?? null;
  const head = element("p", decision?.abstained || !values ? "class unsure" : "class", best ?? "–");
  if (values) head.append(" ", element("small", "", percentOf(values[best])));
  if (named) block.append(element("p", "muted", task));
  block.append(
    head,
    ...classes.map((name, k) => chance(name, values?.[name] ?? 0, `class${k % 6}`, Boolean(values))),
  );
  return block;
}

function chance(name, value, shade, known) {
  const row = element("div", "chance"),
    track = element("div"),
    bar = element("i");
  bar.style.width = `${100 * value}%`;
  bar.style.background = colour(shade);
  track.append(bar);
  row.append(element("b", "", name), track, element("span", "", known ? percentOf(value) : "–"));
  return row;
}

export function element(tag, name = "", text = "") {
  return Object.assign(document.createElement(tag), { className: name, textContent: text });
}
