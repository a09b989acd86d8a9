// SPDX-License-Identifier: Apache-2.0
// now.js: the newest decision: classes with their probabilities, or why there is none.
import { reasonText, t } from "../strings.js";
import { colour } from "./canvas.js";
import { className, percentOf, restedMost, titleInside } from "./words.js";

/** Show a decision of {task: classes}; what it rested on is that of the decision as it was made. */
export function showNow(decision, tasks, made = decision, rested = {}, isRunning = true) {
  const several = Object.keys(tasks).length > 1;
  const blocks = Object.entries(tasks).map(([task, classes]) => taskBlock(decision, task, classes, several, isRunning ? t("notYet") : ""));
  document.querySelector("#now-tasks").replaceChildren(...blocks);
  document.querySelector("#now-reason").textContent = decision
    ? reasonOf(decision)
    : t(isRunning ? "waitingSamples" : "waiting");
  document.querySelector("#now-rested").textContent = decision ? restedOn(decision, made, rested) : "";
}

/** What the newest decision rested on; where the average shows another class, it says so. */
function restedOn(decision, made, rested) {
  const sentences = Object.entries(rested).map(([task, changes]) => {
    const best = made.classes[task];
    const words = restedMost(changes, best);
    return words && best !== decision.classes[task] ? t("newestAlone", { words }) : words;
  });
  return sentences.join(" ");
}

/** Why a decision abstains, and who is not enrolled; empty where neither is so. */
export function reasonOf({ abstained, probabilities, reason, not_enrolled }) {
  const enrolled = not_enrolled.length ? t("notEnrolled", { names: not_enrolled.map(titleInside).join(", ") }) : "";
  if (!abstained) return enrolled;
  const key = Object.keys(probabilities).length ? "abstains" : "noDecision";
  return `${enrolled && `${enrolled} `}${t(key, { reason: reasonText(reason) })}`;
}

/** A decision in one sentence, without numbers that change each time. */
export function spoken(decision) {
  const classes = Object.entries(decision.classes).map(([task, name]) => `${task}: ${className(name)}`);
  if (!classes.length) return t("noDecisionSpoken", { reason: reasonText(decision.reason.replace(/ \(.*/, "")) });
  const said = classes.join(", ");
  return decision.abstained ? t("unsureSpoken", { said }) : said;
}

function taskBlock(decision, task, classes, isNamed, emptyWord) {
  const block = element("div", "task");
  const values = decision?.probabilities[task];
  const best = decision?.classes[task] ?? null;
  const head = element("p", decision?.abstained || !values ? "class unsure" : "class", best ? className(best) : emptyWord);
  if (values) head.append(" ", element("small", "", percentOf(values[best])));
  if (isNamed) block.append(element("p", "muted", task));
  block.append(head);
  if (values) block.append(...classes.map((name, k) => chance(name, values[name], `class${k % 6}`)));
  return block;
}

function chance(name, value, shade) {
  const row = element("div", "chance"),
    track = element("div"),
    bar = element("i");
  bar.style.width = `${100 * value}%`;
  bar.style.background = colour(shade);
  track.append(bar);
  row.append(element("b", "", className(name)), track, element("span", "", percentOf(value)));
  return row;
}

export function element(tag, name = "", text = "") {
  return Object.assign(document.createElement(tag), { className: name, textContent: text });
}
