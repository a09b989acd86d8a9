// SPDX-License-Identifier: Apache-2.0
// about.js: what the bundle says of itself: purpose and quality before it starts, its facts while it runs.
import { t } from "../strings.js";
import { element } from "./now.js";
import { className, sensorTitle } from "./words.js";

export function showAbout({ manifest, tokens, frontEnd, modalities }, card, offline) {
  const { data, decision } = manifest;
  const tasks = Object.entries(decision.tasks)
    .map(([task, classes]) => `${task} (${classes.map(className).join(", ")})`)
    .join("; ");
  const names = modalities.map(({ name }) => name.toUpperCase());
  const count = manifest.train_subjects?.length ?? 0;
  put("#bundle-name", `${manifest.name} · ${names.join(", ")}${manifest.simulated ? ` · ${t("simulatedData")}` : ""}`);
  put("#purpose", t("purpose", { tasks, count: modalities.length, seconds: frontEnd.token_s * decision.every_tokens }));
  put("#quality", quality(manifest));
  put("#card", card);
  const people = t("trainedPeople", { title: data.title, count });
  const facts = {
    bundle: manifest.name,
    estimates: tasks,
    window: t("steps", { count: tokens, seconds: frontEnd.token_s }),
    trainedOn: manifest.simulated ? `${people} (${t("simulatedData")})` : people,
    labels: data.label_kind,
    licence: data.licence,
    cited: data.attribution,
    sensors: modalities.map(({ name, rateHz, unit }) => t("sensorFacts", { name: sensorTitle(name), rate: rateHz, unit })).join("; "),
    runsHere: t("runsText"),
    offline: t(offline ? "offlineReady" : "offlineNone"),
  };
  document
    .querySelector("#about")
    .replaceChildren(
      ...Object.entries(facts).flatMap(([key, value]) => [element("dt", "", t(key)), element("dd", "", value ?? "")]),
    );
}

/** How good it was found: only where some people were kept out of the training is there anything to say. */
function quality({ model, simulated, test_subjects: kept }) {
  if (!kept?.length || !Number.isFinite(model?.int8_macro_f1)) return t("unjudged");
  const people = t(simulated ? "peopleSimulated" : "people");
  return t("judged", { score: model.int8_macro_f1.toFixed(2), windows: model.judged_windows, people });
}

function put(selector, text) {
  document.querySelector(selector).textContent = text;
}
