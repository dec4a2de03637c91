/** Sentences above the charts: which tries were purged, and which tasks changed lastingly. */

import { cutText } from "./axis_cut.js";
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

const one = ({ folded }) => (folded ? "group or task" : "task");

/** Heading of the upper chart: what is stacked, how many runs missed the SLA, which part is shown. */
export function chartTitle({ charts, payload, state, task }) {
  const { late, sla } = charts.view;
  const tries = state.last ? "last try only" : "every try stacked";
  const how = charts.view.lines ? `a line for each ${one(state)}` : `by ${one(state)}`;
  const missed =
    sla === null
      ? ""
      : ` · SLA ${duration(sla)} after the run ${payload.runs.queued_at ? "was queued" : "started"}: ${count(late.length)} of ${count(payload.window.shown)} runs later`;
  const more = [charts.part, cutText(charts.view)].filter(Boolean).map((text) => ` · ${text}`);
  const all = task >= 0 ? "" : state.by === "outcome" ? ", all tasks summed" : `, ${how}`;
  return `Time per run, ${tries}${all}${missed}${more.join("")}`;
}
