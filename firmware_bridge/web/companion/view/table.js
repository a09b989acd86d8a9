// SPDX-License-Identifier: Apache-2.0
// table.js: the newest decisions in words, for whoever cannot or will not read a drawing.
import { element } from "./now.js";
import { reasonText, t } from "../strings.js";
import { className, clock, percentOf, sensorTitle } from "./words.js";

const ROWS = 60;

/** Fill the table with the newest decisions as `view` shows them, newest first. */
export function fillTable(table, history, view, tasks, names) {
  const head = element("tr");
  head.append(
    ...[t("time"), ...Object.keys(tasks), ...names.map(sensorTitle), t("because")].map((text) => element("th", "", text)),
  );
  table.tHead.replaceChildren(head);
  const newest = [...history.decisions()].slice(-ROWS).reverse();
  table.tBodies[0].replaceChildren(...newest.map((decision) => row(view(decision), tasks, names)));
}

function row(decision, tasks, names) {
  const line = element("tr");
  const cells = Object.keys(tasks).map((task) => {
    const values = decision.probabilities[task];
    const best = decision.classes[task];
    return values ? `${className(best)} ${percentOf(values[best])}` : "–";
  });
  const shares = names.map((name) => percentOf(decision.sensors[name]));
  line.append(
    ...[clock(decision.time_s), ...cells, ...shares, decision.reason ? reasonText(decision.reason) : ""].map((text) =>
      element("td", "", text),
    ),
  );
  return line;
}
