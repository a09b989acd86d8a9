// SPDX-License-Identifier: Apache-2.0
// strap_card.js: a connected heart-rate strap beside the session.
import { Strap } from "../strap.js";
import { element } from "./now.js";

const $ = (selector) => document.querySelector(selector);
let strap = null;

/** Ask for a strap, connect it and show what it says. */
export async function connectStrap() {
  strap?.disconnect();
  strap = new Strap(show);
  await strap.connect();
}

$("#strap-off").addEventListener("click", () => strap?.disconnect());

function show({ connected, name, heartRate, contact, rmssdMs }) {
  $("#strap-card").hidden = false;
  $("#strap-off").disabled = !connected;
  const contacts =
    contact === null || contact === undefined ? "not told" : contact ? "on the skin" : "off the skin";
  const facts = {
    Strap: connected ? name : `${name}: disconnected`,
    "Heart rate, beats/min": heartRate ?? "–",
    Contact: connected ? contacts : "–",
    "RMSSD of the last minute, ms": rmssdMs === null || rmssdMs === undefined ? "–" : rmssdMs.toFixed(0),
  };
  $("#strap-facts").replaceChildren(
    ...Object.entries(facts).map(([label, value]) => {
      const fact = element("div", "", label);
      fact.prepend(element("b", "", String(value)));
      return fact;
    }),
  );
}
