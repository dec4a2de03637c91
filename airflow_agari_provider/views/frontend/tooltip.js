// @ts-check
/** The tooltip next to the crosshair. */

import { element } from "./dom.js";
import { describeRun } from "./run_panel.js";
import { duration, percent } from "./units.js";

/** @returns {HTMLElement} made of text nodes: names of runs and tasks are not markup. */
export function tooltip({ payload, stack, sums, median, local, layer, lines }, run, colours) {
  if (run === undefined) return element("div", {});
  const share = (seconds) => (sums[run] > 0 ? ` · ${percent(seconds / sums[run])}` : "");
  const line = (colour, name, seconds, more = "") =>
    element(
      "div",
      { class: "tip-line" },
      element("i", { class: "swatch", style: { background: colour } }),
      element("span", {}, name),
      element("b", {}, duration(seconds) + more),
    );
  const shown = stack.filter(({ values }) => values[run] !== null).reverse();
  return element(
    "div",
    {},
    element("b", {}, payload.runs.run_id[run]),
    element("div", { class: "muted" }, describeRun(payload, run, local)),
    ...shown.map(({ key, values }) => line(layer(key).colour, layer(key).name, values[run], share(values[run]))),
    shown.length > 1 ? line("transparent", "total", sums[run]) : null,
    shown.length === 0 ? element("div", {}, "no try") : null,
    lines ? null : line(colours.text, "median of 25 runs", median[run]),
  );
}
