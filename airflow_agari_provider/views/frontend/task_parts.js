// @ts-check
/** The elements of a DAG's page that change, empty. */

import { element } from "./dom.js";

export function taskParts() {
  return {
    heading: element("h1", { tabindex: "-1", "data-key": "title" }),
    window: element("p", { class: "muted window", role: "status" }),
    stale: element("p", { class: "stale", role: "status", hidden: true }),
    notice: element("div", {}),
    body: element("div", { hidden: true }),
    notes: element("div", { class: "notes" }),
    chart: element("h2", {}),
    duration: element("div", { class: "duration", tabindex: "0", role: "img", "data-key": "bars" }),
    panel: element("div", {}),
    indexes: element("div", {}),
    compare: element("div", {}),
    map: element("div", { class: "map" }),
  };
}
