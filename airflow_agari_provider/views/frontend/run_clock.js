/** One run on the clock: each try of each task where it was, with what it waited for, and the critical path. */

import { criticalPath } from "./critical_path.js";
import { element } from "./dom.js";
import { layerOf, taskNames } from "./series.js";
import { counted, duration, moment, percent, zone } from "./units.js";

const MOST_ROWS = 200; // tasks
const MOST_STEPS = 12; // of the critical path in words
const LINES = [0, 0.25, 0.5, 0.75, 1]; // shares of the run's time

/**
 * Where each try of a run was, in epoch seconds. Pure.
 *
 * Several indexes of a mapped task are one span, from the first start to the last end; their waits are the averages.
 *
 * @param {number[]} shown indexes of the run's tries.
 * @returns {{task: number, spans: {index: number, kind: string, from: number, to: number}[]}[]} in the order of the tasks;
 *   ``kind``: "idle", "queued" or "ran".
 */
export function clockRows(payload, shown) {
  const { tries, now } = payload;
  const rows = new Map();
  for (const index of shown) {
    const task = tries.task[index];
    if (!rows.has(task)) rows.set(task, { task, spans: [] });
    const start = tries.start[index];
    const share = (seconds) => (seconds ?? 0) / tries.instances[index];
    const queued = start - share(tries.queued_seconds[index]);
    const idle = queued - share(tries.idle_seconds[index]);
    rows.get(task).spans.push(
      ...[
        { index, kind: "idle", from: idle, to: queued },
        { index, kind: "queued", from: queued, to: start },
        { index, kind: "ran", from: start, to: Math.max(start, tries.end[index] ?? now) },
      ].filter(({ kind, from, to }) => kind === "ran" || to > from),
    );
  }
  return [...rows.values()].sort((one, other) => one.task - other.task);
}

/** @param {object} view ``payload``, ``run``, ``shown``: indexes of the run's tries, ``local``, ``colours``. */
export function runClock({ payload, run, shown, local, colours }) {
  const rows = clockRows(payload, shown);
  if (rows.length === 0) return null;
  const spans = rows.flatMap((row) => row.spans);
  const from = Math.min(payload.runs.start[run] ?? Infinity, ...spans.map((span) => span.from));
  const to = Math.max(payload.runs.end[run] ?? 0, ...spans.map((span) => span.to));
  const length = Math.max(to - from, 0.001);
  const path = criticalPath(payload, run);
  const critical = new Set(path.map(({ task }) => task));
  const names = taskNames(payload);
  const place = (at) => `${(100 * (at - from)) / length}%`;
  const bar = (span) =>
    element("i", {
      class: `clock-${span.kind}`,
      title: spanText(payload, span),
      style: {
        left: place(span.from),
        width: `max(${(100 * (span.to - span.from)) / length}%, 2px)`,
        background: colours.layer(span.kind === "ran" ? layerOf(payload, span.index) : `wait_${span.kind}`).colour,
      },
    });
  const lines = LINES.map((share) =>
    element("span", { style: { left: `${100 * share}%` } }, moment(from + share * length, !local).slice(11)),
  );
  return element(
    "details",
    { class: "clock", open: true },
    element("summary", { "data-key": "clock" }, `On the clock (${zone(!local)}), ${duration(length)}`),
    element("p", { class: "muted" }, pathText(path, names, length)),
    element(
      "div",
      { class: "clock-rows", role: "img", "aria-label": "Tries on the clock; the table below has the numbers" },
      ...rows
        .slice(0, MOST_ROWS)
        .map((row) =>
          element(
            "div",
            { class: critical.has(row.task) ? "clock-row critical" : "clock-row" },
            element("span", { class: "clock-name", title: names[row.task] }, names[row.task]),
            element("div", { class: "clock-track" }, ...row.spans.map(bar)),
          ),
        ),
      element("div", { class: "clock-row" }, element("span", {}), element("div", { class: "clock-times" }, ...lines)),
    ),
    rows.length > MOST_ROWS
      ? element("p", { class: "muted" }, `The first ${MOST_ROWS} of ${counted(rows.length, "task", "tasks")}.`)
      : null,
  );
}

/** The critical path in words; of a long one, the steps that took longest. */
function pathText(path, names, length) {
  const longest = [...path].sort((one, other) => other.seconds - one.seconds).slice(0, MOST_STEPS);
  const steps = path
    .filter((step) => longest.includes(step))
    .map(({ task, seconds }) => `${names[task]} ${duration(seconds)} (${percent(seconds / length)})`);
  const more = path.length > MOST_STEPS ? `, and ${path.length - MOST_STEPS} that took less` : "";
  return `Critical path: ${steps.join(" → ")}${more}. These tasks made the run as long as it was.`;
}

function spanText({ tries, tasks }, { index, kind, from, to }) {
  const deferred = tries.deferred_seconds[index];
  const what = { idle: "waited between tries", queued: "queued", ran: "ran" }[kind];
  const more = kind === "ran" && deferred > 0 ? `, of which ${duration(deferred)} deferred` : "";
  return `${tasks.task_id[tries.task[index]]}, try ${tries.try_number[index]}: ${what} ${duration(to - from)}${more}`;
}
