// SPDX-License-Identifier: Apache-2.0
// about.js: what the bundle says of itself: purpose and quality before it starts, its facts while it runs.
import { element } from "./now.js";

export function showAbout({ manifest, tokens, frontEnd, modalities }, card) {
  const { data, decision } = manifest;
  const tasks = Object.entries(decision.tasks)
    .map(([task, classes]) => `${task} (${classes.join(", ")})`)
    .join("; ");
  const names = modalities.map(({ name }) => name.toUpperCase());
  const people = manifest.train_subjects?.length ?? 0;
  put(
    "#bundle-name",
    `${manifest.name} · ${names.join(", ")}${manifest.simulated ? " · SIMULATED training data" : ""}`,
  );
  put(
    "#purpose",
    `This page estimates ${tasks} from ${modalities.length} body signals, ` +
      `every ${frontEnd.token_s * decision.every_tokens} s, to show how a model copes when sensors fail.`,
  );
  put("#quality", quality(manifest));
  put("#card", card);
  const facts = {
    Bundle: manifest.name,
    Estimates: tasks,
    Window: `${tokens} steps of ${frontEnd.token_s} s`,
    "Trained on": `${data.title}, ${people} people${manifest.simulated ? " (SIMULATED)" : ""}`,
    "What the labels are": data.label_kind,
    "Licence of the data": data.licence,
    "To be cited": data.attribution,
    Sensors: modalities.map(({ name, rateHz, unit }) => `${name} at ${rateHz} Hz in ${unit}`).join("; "),
    "Runs here": "the C core with the int8 network, as one WebAssembly module from this address",
  };
  document
    .querySelector("#about")
    .replaceChildren(
      ...Object.entries(facts).flatMap(([name, value]) => [
        element("dt", "", name),
        element("dd", "", value ?? ""),
      ]),
    );
}

/** How good it was found: only where some people were kept out of the training is there anything to say. */
function quality({ model, simulated, test_subjects: kept }) {
  if (!kept?.length || !Number.isFinite(model?.int8_macro_f1)) {
    return (
      "Nobody was kept out of its training, so it could not be judged itself; " +
      "its model card says how its recipe was."
    );
  }
  const people = simulated ? "SIMULATED people who" : "people who";
  return (
    `Macro-F1 ${model.int8_macro_f1.toFixed(2)} (1 is perfect) on ${model.judged_windows} windows ` +
    `of ${people} did not train it, some with sensors missing.`
  );
}

function put(selector, text) {
  document.querySelector(selector).textContent = text;
}
