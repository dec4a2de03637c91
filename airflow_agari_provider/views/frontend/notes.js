/** Sentences above the charts: which tries were purged, and which tasks changed lastingly. */

import { element } from "./dom.js";
import { purgeNotice, shiftText } from "./notices.js";

const FIRST_SHIFTS = 3; // always visible; the reader unfolds the rest

/**
 * @param {object} page a TaskPage.
 * @param {boolean} unfolded whether all shifts are visible.
 */
export function notes({ payload, shifts, state, charts }, unfolded) {
  const note = (...children) => element("div", { class: "note" }, ...children);
  const purge = purgeNotice(payload);
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
  return [...(purge ? [note(purge)] : []), ...lines, ...more];
}
