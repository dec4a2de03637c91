/** The tries of one run as a list with links: for a bar of several tries, and for the keyboard. */

import { airflowLink, logAddress } from "./airflow.js";
import { element } from "./dom.js";
import { LAYERS, palette } from "./palette.js";
import { runClock } from "./run_clock.js";
import { layerOf, taskNames } from "./series.js";
import { count, duration, moment, momentWithOffset, zone } from "./units.js";

const MOST_NAMES = 20;
const LEFT = { 0: "name", 2: "text" }; // columns with text, left-aligned

const NO_END =
  "Airflow did not record the end of this try. It ended no later than its run, or than the next try began.";

/** How long a try ran; if its end is not known, at most. */
function ran(tries, index) {
  return (tries.end_unknown?.[index] ? "≤ " : "") + duration(tries.run_seconds[index]);
}

/** The parts from which the address of a try's log is made. */
export function tryOf(payload, index) {
  const { runs, tasks, tries } = payload;
  return {
    dagId: payload.dag_id,
    runId: runs.run_id[tries.run[index]],
    taskId: tasks.task_id[tries.task[index]],
    tryNumber: tries.try_number[index],
    mapIndex: tries.map_index[index],
  };
}

/** Describe a run as text. */
export function describeRun(payload, run, local) {
  const { runs } = payload;
  const logical = runs.logical_date[run];
  const parts = [momentWithOffset(runs.run_after[run], !local), runs.run_type[run].replace("_", "-"), runs.state[run]];
  if (logical === null) parts.push("no logical date");
  if (runs.deadline_missed[run]) parts.push("missed its deadline");
  return parts.join(" · ");
}

/** Sentence about the tasks that could not start, as a task before them failed; null: there is none. */
function blockedText(payload, run) {
  const { blocked } = payload;
  const known = taskNames(payload);
  const names = (blocked?.task ?? []).filter((_, at) => blocked.run[at] === run).map((task) => known[task]);
  if (names.length === 0) return null;
  const more = names.length > MOST_NAMES ? ` and ${count(names.length - MOST_NAMES)} more` : "";
  return element(
    "p",
    {},
    `Not started, because a task before failed: ${names.slice(0, MOST_NAMES).join(", ")}${more}.`,
  );
}

/**
 * @param {number[]} shown indexes of the run's tries, which come with those first that failed for good.
 * @param {number} marked index of the task whose tries are highlighted; -1: no task.
 */
export function runPanel({ payload, run, shown, marked, local, dark, configuration, onClose, onCompare, onIndexes }) {
  const { runs, tries, tasks } = payload;
  const forGood = (index) => layerOf(payload, index) === "failed_for_good";
  const ordered = [...shown].sort(
    (one, other) =>
      Number(forGood(other)) - Number(forGood(one)) || (tries.start[one] ?? 0) - (tries.start[other] ?? 0),
  );
  const colours = palette(dark);
  const indexesOf = (index) => {
    const task = tries.task[index];
    const press = { click: () => onIndexes(task) };
    const key = `indexes-${tasks.task_id[task]}-${tries.try_number[index]}-${tries.outcome[index]}`;
    return element("button", { type: "button", class: "small", "data-key": key, on: press }, "Indexes");
  };
  const rows = ordered.map((index) => {
    const outcome = layerOf(payload, index);
    const several = tries.instances[index] > 1 ? ` × ${count(tries.instances[index])}` : "";
    const one = tries.map_index[index] >= 0 ? ` [${tries.map_index[index]}]` : "";
    const name = `${taskNames(payload)[tries.task[index]]}${one}${several}`;
    return element(
      "tr",
      { class: tries.task[index] === marked ? "marked" : null },
      element("th", { scope: "row", class: "name" }, name),
      element("td", {}, count(tries.try_number[index])),
      element(
        "td",
        { class: "text" },
        element("i", { class: "swatch", style: { background: colours.layer(outcome).colour } }),
        LAYERS[outcome][0],
      ),
      element("td", {}, moment(tries.start[index], !local)),
      element("td", { title: tries.end_unknown?.[index] ? NO_END : null }, ran(tries, index)),
      element("td", {}, duration(tries.idle_seconds[index])),
      element("td", {}, duration(tries.queued_seconds[index])),
      element("td", {}, duration(tries.deferred_seconds[index])),
      element(
        "td",
        {},
        airflowLink(
          logAddress(configuration, tryOf(payload, index)),
          {
            class: "log",
            "data-key": `try-${tasks.task_id[tries.task[index]]}-${tries.try_number[index]}-${tries.map_index[index]}-${outcome}`,
          },
          several ? "Logs" : "Log",
        ),
        tasks.mapped[tries.task[index]] ? indexesOf(index) : null,
      ),
    );
  });
  const titles = [
    "task",
    "try",
    "outcome",
    `start (${zone(!local)})`,
    "ran",
    "waited between tries",
    "queued",
    "deferred",
    "log",
  ];
  const compare = element(
    "button",
    {
      type: "button",
      "data-key": "compare",
      title: "The runs before this run beside those from this run on",
      on: { click: onCompare },
    },
    "Before and after",
  );
  const close = element("button", { type: "button", "data-key": "close", on: { click: onClose } }, "Close");
  return element(
    "section",
    { class: "panel", "aria-label": "Tries of the run" },
    element(
      "header",
      {},
      element("h2", { tabindex: "-1", "data-key": "panel" }, `Tries of ${runs.run_id[run]}`),
      element("span", {}, compare, " ", close),
    ),
    element("p", { class: "muted" }, describeRun(payload, run, local)),
    blockedText(payload, run),
    runClock({ payload, run, shown, local, colours }),
    rows.length === 0
      ? element("p", {}, "No task of this run has started, or the page does not show those that have.")
      : element(
          "div",
          { class: "scroll" },
          element(
            "table",
            {},
            element(
              "thead",
              {},
              element("tr", {}, ...titles.map((title, at) => element("th", { scope: "col", class: LEFT[at] }, title))),
            ),
            element("tbody", {}, ...rows),
          ),
        ),
  );
}
