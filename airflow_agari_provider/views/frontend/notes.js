/** Sentences above the charts: what was purged, and what changed for good. */

import { element } from "./dom.js";
import { purgeNotice } from "./notices.js";

const FIRST_SHIFTS = 3; // always in sight; the others unfold

/** @param {(run: number) => void} show zoom to a run. */
export function notes(payload, shifts, show) {
  const note = (...children) => element("div", { class: "note" }, ...children);
  const purge = purgeNotice(payload);
  const lines = shifts.map(({ text, run }) => note(element("span", {}, text), element("button", { type: "button", on: { click: () => show(run) } }, "Show")));
  const others = lines.splice(FIRST_SHIFTS);
  const more = others.length ? [element("details", {}, element("summary", {}, `${others.length} more`), ...others)] : [];
  return [...(purge ? [note(purge)] : []), ...lines, ...more];
}
