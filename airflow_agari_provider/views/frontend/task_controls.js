/** The controls of a DAG's page. */

import { airflowLink, dagAddress } from "./airflow.js";
import { cutText } from "./axis_cut.js";
import { hasGroups } from "./by_task.js";
import { action, choice, folded, several, timeChoice, toggle } from "./controls.js";
import { dateControls } from "./dates.js";
import { element } from "./dom.js";
import { copyLink, saveCsv, savePicture } from "./exports.js";
import { showHelp } from "./help.js";
import { ALL_DATES, DEFAULTS, RUN_COUNTS, RUN_STATES } from "./permalink.js";
import { taskNames } from "./series.js";

const ALL = "";
const SINCE_3 = ["asset_triggered", "asset_materialization", "operator_triggered"]; // the last two since Airflow 3.3
const NEWEST = { before: null, after: null, from: null, to: null };

/** @param {object} page a TaskPage. @returns {{bar: Node, links: Node, all: object[], sync: (page) => void}} */
export function taskControls(page) {
  const { go, frame } = page;
  const flag = (name, label, title, visible = undefined) =>
    toggle({ name, label, title, visible, value: ({ state }) => state[name], set: (on) => go({ [name]: on }) });
  const types = [
    "scheduled",
    "manual",
    "backfill",
    ...(frame.configuration.airflow === 3 ? SINCE_3 : ["dataset_triggered"]),
  ];
  const window = [
    choice({
      name: "task",
      label: "Task",
      options: taskOptions,
      value: ({ state }) => state.task ?? ALL,
      pick: (task) => go({ task: task || null }),
    }),
    choice({
      name: "runs",
      label: "Runs",
      options: () => RUN_COUNTS.map((runs) => [String(runs), String(runs)]),
      value: ({ state }) => String(state.runs),
      pick: (runs) => go({ runs: Number(runs), from: null, to: null }),
    }),
    action({
      name: "older",
      label: "‹ Older",
      title: "The runs before these",
      press: () => go(older(page)),
      usable: ({ payload }) => Boolean(payload?.window.older),
    }),
    action({
      name: "newer",
      label: "Newer ›",
      title: "The runs after these",
      press: () => go(newer(page)),
      usable: ({ payload }) => Boolean(payload?.window.newer),
    }),
    action({
      name: "newest",
      label: "Newest",
      press: () => go({ ...NEWEST, ...ALL_DATES }),
      visible: ({ state }) => [state.before, state.after, state.since, state.until].some((place) => place !== null),
    }),
    timeChoice(frame),
    choice({
      name: "mapped",
      label: "Mapped tasks",
      title: "How the indexes of a mapped task count",
      options: () => [
        ["sum", "summed"],
        ["longest", "longest index"],
      ],
      value: ({ state }) => state.mapped,
      pick: (mapped) => go({ mapped }),
      visible: ({ payload, state }) => state.mapped !== DEFAULTS.mapped || payload?.tasks.mapped.includes(true),
    }),
    action({
      name: "zoom-out",
      label: "Zoom out",
      press: () => page.charts.zoomOut(),
      visible: ({ state }) => state.from !== null || state.to !== null,
    }),
  ];
  const byOutcome = ({ state }) => state.task !== null || state.by === "outcome";
  const shown = [
    choice({
      name: "by",
      label: "Bars",
      title: "What the bars are made of",
      options: () => [
        ["outcome", "by outcome"],
        ["task", "by task"],
        ["lines", "a line per task"],
      ],
      value: ({ state }) => state.by,
      pick: (by) => go({ by }),
      visible: ({ state }) => state.task === null,
    }),
    flag("folded", "Groups folded", "The tasks of a group are one", (page) => !byOutcome(page) && grouped(page)),
    flag(
      "idle",
      "Waiting between tries",
      "Stack the time from the end of a try until the next was scheduled",
      byOutcome,
    ),
    flag("queued", "Queued", "Stack the time from being scheduled until the start", byOutcome),
    flag(
      "deferred",
      "Deferred",
      "Stack the time in the triggerer, or between two pokes of a rescheduled sensor",
      byOutcome,
    ),
    flag("last", "Last try only", "As Airflow itself shows it"),
    flag("log", "Log scale"),
    flag("whole", "Whole axis", "Up to the longest bar, also if it flattens the others", cutOrWhole),
  ];
  const filters = folded(
    { name: "filters", label: "Filters", count: ({ state }) => state.runTypes.length + state.runStates.length },
    [
      several({
        name: "type",
        legend: "Run type",
        options: types.map((type) => [type, type.replace("_", "-")]),
        chosen: ({ state }) => state.runTypes,
        set: (runTypes) => go({ runTypes }),
      }),
      several({
        name: "state",
        legend: "Run state",
        options: RUN_STATES.map((state) => [state, state]),
        chosen: ({ state }) => state.runStates,
        set: (runStates) => go({ runStates }),
      }),
    ],
  );
  const dates = folded(
    { name: "dates", label: "Dates", count: ({ state }) => Number(state.since !== null || state.until !== null) },
    dateControls(page),
  );
  const usable = ({ parts }) => !parts.body.hidden;
  const exports = [
    action({ name: "csv", label: "CSV", title: "The tries that are shown", press: () => saveCsv(page), usable }),
    action({ name: "png", label: "PNG", title: "Both charts as a picture", press: () => savePicture(page), usable }),
    action({ name: "link", label: "Copy link", title: "To this page as it is", press: () => copyLink(page) }),
    action({ name: "help", label: "?", title: "Keys", press: () => showHelp(page.help) }),
  ];
  const rows = [window, [...shown, dates, filters]];
  const all = [...rows.flat(), ...exports];
  return {
    all,
    bar: element(
      "div",
      { class: "bar" },
      ...rows.map((row) => element("div", { class: "row" }, ...row.map(({ node }) => node))),
    ),
    links: element("nav", {}, overviewLink(page), dagLink(page), ...exports.map(({ node }) => node)),
    sync: (now) => all.forEach((control) => control.sync(now)),
  };
}

const grouped = ({ payload, state }) => state.folded || Boolean(payload && hasGroups(payload));

/** Whether a bar is cut, or the reader chose that none is. */
function cutOrWhole({ state, charts, parts }) {
  return state.whole || (!parts.body.hidden && Boolean(charts) && cutText(charts.view) !== "");
}

/** Options for the choice of a task. The chosen task is always one of them, even if it did not start in these runs. */
function taskOptions({ payload, state }) {
  const ids = payload?.tasks.task_id ?? [];
  const known = ids.map((id, at) => [id, taskNames(payload)[at]]);
  return [
    [ALL, "all tasks"],
    ...(state.task === null || ids.includes(state.task) ? [] : [[state.task, state.task]]),
    ...known,
  ];
}

function older({ payload }) {
  return { ...NEWEST, before: payload.window.before };
}

/** If the page shows no run because no run is that old, go to the oldest runs of all. */
function newer({ payload }) {
  return { ...NEWEST, after: payload.window.after ?? "0" };
}

function overviewLink(page) {
  const open = (event) => {
    event.preventDefault();
    page.go({ ...DEFAULTS, local: page.state.local, zone: page.state.zone });
  };
  return element("a", { href: "?", "data-key": "all-dags", on: { click: open } }, "All DAGs");
}

function dagLink({ frame, dag }) {
  return airflowLink(dagAddress(frame.configuration, dag), { "data-key": "dag" }, "DAG in Airflow");
}
