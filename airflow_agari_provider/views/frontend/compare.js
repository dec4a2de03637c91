/** The runs before a moment beside those after it, as before and after a deploy. */

import { element } from "./dom.js";
import { COUNTED, median, standing, taskNames } from "./series.js";
import { table } from "./table.js";
import { change, changeBetween, count, counted, duration, moment, percent, zone } from "./units.js";

const UNTYPICAL = new Set(["backfill"]);
const FINISHED = new Set(["success", "failed"]);
const FEWEST = 3; // runs on a side from which a median is a usual value

/**
 * A row for each task, and one for all tasks together, which comes first. Pure.
 *
 * Medians are of finished runs without backfills, whose seconds are known, as those of the other figures. Failed tries
 * are of all runs.
 *
 * @param {number} at epoch seconds: the first moment of the second side.
 * @returns {object[]} ``task`` (index; -1: all), and of each side in an array: ``runs``, ``median`` (seconds; null: fewer
 *   than three runs), ``failed`` (share of the tries; null: there is none); ``change`` of the median in percent, or null.
 */
export function comparison(payload, shown, at) {
  const { runs, tries, outcomes } = payload;
  const side = runs.run_after.map((due) => Number(due >= at));
  const typical = runs.run_id.map((_, run) => !UNTYPICAL.has(runs.run_type[run]) && FINISHED.has(runs.state[run]));
  const found = new Map();
  const add = (task, index) => {
    if (!found.has(task)) found.set(task, [newSide(), newSide()]);
    const run = tries.run[index];
    const of = found.get(task)[side[run]];
    of.tries += tries.instances[index];
    if (outcomes[tries.outcome[index]].startsWith("failed")) of.failed += tries.instances[index];
    of.seconds.set(run, (of.seconds.get(run) ?? 0) + tries.run_seconds[index]);
    if (!typical[run] || standing(tries, index) === COUNTED.inSums) of.unusual.add(run);
  };
  for (const index of shown) {
    if (standing(tries, index) === COUNTED.not) continue;
    add(-1, index);
    add(tries.task[index], index);
  }
  return [...found].sort(([one], [other]) => one - other).map(([task, sides]) => rowOf(task, sides));
}

const newSide = () => ({ seconds: new Map(), unusual: new Set(), tries: 0, failed: 0 });

function rowOf(task, sides) {
  const values = sides.map(({ seconds, unusual }) =>
    [...seconds].filter(([run]) => !unusual.has(run)).map(([, of]) => of),
  );
  const medians = values.map((of) => (of.length < FEWEST ? null : median(of)));
  return {
    task,
    runs: values.map((of) => of.length),
    median: medians,
    failed: sides.map(({ tries, failed }) => (tries ? failed / tries : null)),
    change: changeBetween(medians[0], medians[1]),
  };
}

/** @param {object} page a TaskPage. @param {number[]} shown indexes of the tries that are shown. */
export function comparePanel({ payload, state, go, comparing = { sort: "change", descending: true } }, shown, onSort) {
  const names = taskNames(payload);
  const rows = comparison(payload, shown, state.split).map((row) => ({
    ...row,
    name: row.task < 0 ? "all tasks" : names[row.task],
  }));
  const runs = payload.runs.run_after.filter((due) => due < state.split).length;
  const sides = [counted(runs, "run", "runs"), counted(payload.runs.run_after.length - runs, "run", "runs")];
  const when = `${moment(state.split, !state.local)} (${zone(!state.local)})`;
  return element(
    "section",
    { class: "panel", "aria-label": "Before and after" },
    element(
      "header",
      {},
      element("h2", {}, `Before and after ${when}`),
      element(
        "button",
        { type: "button", "data-key": "close-split", on: { click: () => go({ split: null }) } },
        "Close",
      ),
    ),
    element(
      "p",
      { class: "muted" },
      `${sides[0]} before, ${sides[1]} from then on. Medians are of finished runs without backfills; from ${FEWEST} runs on.`,
    ),
    element("div", { class: "scroll" }, table(`Before and after ${when}`, rows, columns(), { ...comparing, onSort })),
  );
}

function columns() {
  const pair = (key, title, hint, text) =>
    ["before", "after"].map((name, at) => ({
      key: `${key}_${name}`,
      title: `${title} ${name}`,
      hint,
      value: (row) => row[key][at],
      text: (row) => text(row[key][at]),
    }));
  return [
    { key: "task", title: "task", name: true, hint: "Sort by name", value: (row) => row.name },
    ...pair("runs", "runs", "Runs of which the median is", count),
    ...pair("median", "median", "Median per run, over all tries", duration),
    {
      key: "change",
      title: "change",
      hint: "Change of the median",
      value: (row) => row.change,
      text: (row) => change(row.change),
    },
    ...pair("failed", "failed tries", "Share of the tries that failed", percent),
  ];
}
