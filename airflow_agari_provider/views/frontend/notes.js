/** Sentences above the charts: which tries were purged, and which tasks changed lastingly. */

import { element } from "./dom.js";
import { purgeNotice, shiftText, unknownTimes } from "./notices.js";
import { shownTries } from "./series.js";
import { count, duration } from "./units.js";

const FIRST_SHIFTS = 3; // always visible; the reader unfolds the rest

/**
 * @param {object} page a TaskPage.
 * @param {boolean} unfolded whether all shifts are visible.
 */
export function notes({ payload, shifts, state, charts, task }, unfolded) {
  const shown = shownTries(payload, task, state.last);
  const note = (...children) => element("div", { class: "note" }, ...children);
  const sentences = [purgeNotice(payload), ...unknownTimes(payload, shown)].filter(Boolean);
  const lines = shifts.map((shift) =>
    note(
      element("span", {}, shiftText(payload, shift, state.local)),
      element(
        "button",
        {
          type: "button",
          "data-key": `shift-${shift.run}-${shift.task}-${shift.kind}`,
          on: { click: () => charts.zoomAround(shift.run) },
        },
        "Show",
      ),
    ),
  );
  const others = lines.splice(FIRST_SHIFTS);
  const more = others.length
    ? [
        element(
          "details",
          { open: unfolded },
          element("summary", { "data-key": "more" }, `${others.length} more`),
          ...others,
        ),
      ]
    : [];
  return [...sentences.map((sentence) => note(sentence)), ...lines, ...more];
}

/** Heading of the upper chart: what is stacked, how many runs missed the SLA, which part is shown. */
export function chartTitle({ charts, payload, state, task }) {
  const { late, sla } = charts.view;
  const tries = state.last ? "last try only" : "every try stacked";
  const missed =
    sla === null
      ? ""
      : ` · SLA ${duration(sla)} after the run ${payload.runs.queued_at ? "was queued" : "started"}: ${count(late.length)} of ${count(payload.window.shown)} runs later`;
  const { part } = charts;
  return `Time per run, ${tries}${task < 0 ? ", all tasks summed" : ""}${missed}${part ? ` · ${part}` : ""}`;
}
