// @ts-check
/**
 * Where the axis of the seconds ends: a few bars that are far longer than all others must not flatten them. Pure.
 *
 * The page says how many bars are cut and how long they are, so that nothing is hidden.
 */

import { counted, duration } from "./units.js";

const FAR = 3; // times as long as the longest of the other bars
const SHARE = 0.05; // of the bars may be cut, and always one
const FEWEST = 5; // bars; among fewer, none is usual
const LABELLED = 12; // cut bars whose length stands next to them

/**
 * Seconds above which bars are cut; null: none is cut.
 *
 * @param {number[]} heights of the bars, each above 0.
 */
export function cutAt(heights) {
  if (heights.length < FEWEST) return null;
  const ordered = [...heights].sort((one, other) => one - other);
  const most = Math.max(1, Math.floor(ordered.length * SHARE));
  const usual = ordered[ordered.length - 1 - most];
  return ordered[ordered.length - 1] > FAR * usual ? ordered.findLast((height) => height <= FAR * usual) : null;
}

/**
 * The bars that are cut.
 *
 * @param {{totals: (number|null)[], range: [number, number], log: boolean, whole: boolean}} view ``whole``: the reader
 *   wants the axis to reach the longest bar.
 * @returns {{limit: number|null, runs: number[]}} ``limit``: seconds of the longest bar that is not cut.
 */
export function cutBars({ totals, range: [first, last], log, whole }) {
  const shown = totals.slice(first, last + 1);
  const limit = log || whole ? null : cutAt(shown.filter((height) => height > 0));
  if (limit === null) return { limit, runs: [] };
  return { limit, runs: shown.flatMap((height, at) => (height > limit ? [first + at] : [])) };
}

/** Sentence about the bars that are cut; "": none is. @param {any} view as for {@link cutBars}. */
export function cutText(view) {
  const { limit, runs } = cutBars(view);
  if (limit === null) return "";
  const longest = duration(Math.max(...runs.map((run) => view.totals[run])));
  const bars = counted(runs.length, "bar is", "bars are");
  return `${bars} cut, the longest at ${longest}: “Whole axis” shows ${runs.length === 1 ? "it" : "them"} whole`;
}

/** Arrows on the bars that are cut, with their lengths. A series of ECharts; empty if no bar is. */
export function cutMarkers(view, colours) {
  const { runs } = cutBars(view);
  return {
    id: "cut",
    type: "scatter",
    yAxisIndex: 1,
    symbol: "triangle",
    symbolSize: [12, 7],
    silent: true,
    z: 7,
    itemStyle: { color: colours.text, borderColor: colours.surface, borderWidth: 1 },
    label: {
      show: runs.length <= LABELLED,
      position: "right",
      color: colours.text,
      fontSize: 12,
      textBorderColor: colours.surface,
      textBorderWidth: 3,
      formatter: ({ value }) => duration(view.totals[value[0]]),
    },
    labelLayout: { hideOverlap: true },
    data: runs.map((run) => [run, 0.85]),
  };
}
