// SPDX-License-Identifier: Apache-2.0
// marks.js: what the wearer says of a stretch, and what the model learned from it.
import { t } from "../strings.js";
import { element } from "./now.js";
import { className, clock } from "./words.js";

const $ = (selector) => document.querySelector(selector);

/** Ask what a chosen stretch was; `onMark(label)` or `onCancel()` answers. */
export function askMark(range, classes, onMark, onCancel) {
  const row = $("#mark-as");
  row.hidden = !range || !classes;
  if (row.hidden) return;
  const [from, to] = range.map(clock),
    words = t("markAs", { from, to });
  row.setAttribute("aria-label", words);
  row.replaceChildren(
    element("span", "", words),
    ...classes.map((name) => button(className(name), "primary", () => onMark(name))),
    button(t("cancel"), "", onCancel),
  );
}

/** List marks {label, startS, stopS, windows}, and what `personal` (null: the model has none) asks for. */
export function showMarks(marks, hasHead, personal) {
  $("#marks-text").textContent = !hasHead ? t("noHead") : (said(personal) ?? t("marksText"));
  $("#mark-list").replaceChildren(
    ...marks.map(({ label, startS, stopS, windows }) => {
      const item = element("li", "", `${clock(startS)} – ${clock(stopS)} `);
      item.append(element("b", "", className(label)), element("small", "", ` ${t("windowsUsed", { n: windows })}`));
      return item;
    }),
  );
  $("#forget-marks").hidden = !personal?.head.count;
}

function said(personal) {
  if (!personal?.head.count) return null;
  const { asks, adapted } = personal,
    label = asks?.label && className(asks.label);
  const asked = { more: "askMore", unhelpful: "askUnhelpful", second: "askSecond" }[asks?.kind];
  return [adapted ? t("corrected") : "", asked ? t(asked, { label }) : ""].filter(Boolean).join(" ");
}

function button(text, name, onClick) {
  const made = Object.assign(element("button", name, text), { type: "button" });
  made.addEventListener("click", onClick);
  return made;
}
