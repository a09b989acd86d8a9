// SPDX-License-Identifier: Apache-2.0
// strap_card.js: a connected heart-rate strap beside the session, or as its source where the model reads an ECG.
import { Strap, StrapSource } from "../strap.js";
import { named, t } from "../strings.js";
import { element } from "./now.js";
import { titleInside } from "./words.js";

const $ = (selector) => document.querySelector(selector);
let strap = null;

/** Ask for a strap, connect it and show what it says; `play(source)` is called where the bundle has a use for it. */
export async function connectStrap({ modalities }, play) {
  strap?.disconnect();
  const ecg = modalities.find(({ name, channels }) => name === "ecg" && channels === 1);
  let source = null;
  strap = new Strap((state) => {
    show(state);
    if (ecg && !source && state.intervals?.length) play((source = new StrapSource(state.name, ecg)));
    if (state.intervals?.length) source?.take(state.intervals);
  });
  const sensors = modalities.map(({ name }) => titleInside(name)).join(", ");
  $("#strap-use").textContent = ecg ? t("strapUsed") : t("strapUseless", { sensors });
  await strap.connect();
}

$("#strap-off").addEventListener("click", () => strap?.disconnect());

function show({ connected, name, heartRate, contact, rmssdMs }) {
  $("#strap-card").hidden = false;
  $("#strap-off").disabled = !connected;
  const contacts = contact === null || contact === undefined ? t("notTold") : t(contact ? "onSkin" : "offSkin");
  const facts = {
    strapName: connected ? named("source", name) : t("strapLost", { name: named("source", name) }),
    heartRate: heartRate ?? "–",
    contact: connected ? contacts : "–",
    rmssd: rmssdMs === null || rmssdMs === undefined ? "–" : rmssdMs.toFixed(0),
  };
  $("#strap-facts").replaceChildren(
    ...Object.entries(facts).map(([key, value]) => {
      const fact = element("div", "", t(key));
      fact.prepend(element("b", "", String(value)));
      return fact;
    }),
  );
}
