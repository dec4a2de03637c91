/** Rows and columns of the tables of the alerts. */

import { iso } from "./csv.js";
import { element } from "./dom.js";
import { count, duration, moment, percent } from "./units.js";

const RUN = "the run"; // whose SLA it is, if it is no task's

/** One row per miss, from the server's columns. An open one is late until now. Pure. */
export function missRows({ misses, now }) {
  return misses.dag_id.map((dag, at) => {
    const value = (name) => misses[name][at];
    const told = value("told");
    const open = value("outcome") === "open";
    return {
      name: `${dag} › ${value("task_id") ?? RUN}`,
      environment: value("environment"),
      dag,
      run: value("run_id"),
      task: value("task_id"),
      sla: value("sla"),
      owner: value("owner"),
      due: value("due"),
      came_in: value("came_in"),
      late: open ? Math.max(0, now - value("due")) : value("late_seconds"),
      outcome: value("outcome"),
      state: value("state"),
      open,
      told,
      states: told.flatMap((one) => [one.state, one.recovery]),
      told_at: told.length ? Math.min(...told.map((one) => one.at)) : null,
    };
  });
}

/** One row per SLA that was missed, from the server's columns. Pure. */
export function slaRows({ slas }) {
  return slas.dag_id.map((dag, at) => ({
    ...Object.fromEntries(Object.entries(slas).map(([name, values]) => [name, values[at]])),
    name: `${dag} › ${slas.task_id[at] ?? RUN}`,
    dag,
    task: slas.task_id[at],
  }));
}

/** What a person was told, as text: "Slack #alerts 2026-11-20 08:31, VictorOps refused". Pure. */
export function toldText(told, utc) {
  return told.map((one) => `${one.service} ${toldStanding(one, utc)}`).join(", ") || "nobody";
}

function toldStanding({ state, at }, utc) {
  return state === "sent" ? moment(at, utc) : state;
}

/** What has become of a miss, as text. Pure. */
export function outcomeText({ outcome, open, state, told }) {
  if (open) return state === null ? "open" : `open: ${state.replaceAll("_", " ")}`;
  const untold = told.some((one) => one.state === "sent") && !told.some((one) => one.recovery === "sent");
  return outcome === "came in" && untold && state !== null ? "came in, nobody told" : outcome;
}

/**
 * Address of a Slack message from its reference; null: there is none. Without an address of the workspace, Slack opens
 * the channel. Pure.
 */
export function slackAddress({ service, reference }, workspace) {
  const found = /^([A-Z0-9]+):(\d+)\.(\d+)$/.exec(reference);
  if (!service.startsWith("Slack") || found === null) return null;
  const [, channel, seconds, rest] = found;
  return workspace
    ? `${workspace.replace(/\/+$/, "")}/archives/${channel}/p${seconds}${rest}`
    : `https://slack.com/app_redirect?channel=${channel}`;
}

function nameColumn(title, { link, environments }) {
  return {
    key: "name",
    title,
    name: true,
    hint: "Sort by DAG and task",
    csv: [
      ["environment", (row) => row.environment],
      ["dag_id", (row) => row.dag],
      ["task_id", (row) => row.task],
      ["sla", (row) => row.sla],
      ["owner", (row) => row.owner],
    ],
    value: (row) => row.name,
    node: (row) =>
      element(
        "span",
        {},
        link(row),
        row.sla ? element("small", { class: "under" }, row.sla) : null,
        environments && row.environment ? element("small", { class: "badge" }, row.environment) : null,
      ),
  };
}

/**
 * @param {object} options ``utc``; ``environments``: whether there are several; ``link(row)``: a Node that leads to the
 *   task; ``run(row)``: to the run; ``message(told, text)``: to what was sent.
 */
export function missColumns({ utc, environments, link, run, message }) {
  const text = (key, title, hint, shown) => ({
    key,
    title,
    hint,
    left: true,
    value: shown,
    text: (row) => shown(row) ?? "–",
  });
  const time = (key, title, hint) => ({
    key,
    title,
    hint,
    csv: [[key, (row) => iso(row[key])]],
    value: (row) => row[key],
    text: (row) => moment(row[key], utc),
  });
  return [
    nameColumn("late", { link, environments }),
    {
      ...text("outcome", "standing", "What has become of it; of an open one, its state in Airflow", outcomeText),
      csv: [
        ["outcome", (row) => row.outcome],
        ["state", (row) => row.state],
      ],
      node: (row) => element("span", { class: row.open ? "standing open" : "standing" }, outcomeText(row)),
    },
    {
      key: "late",
      title: "late by",
      hint: "From the SLA until it came in; of an open one, until now",
      csv: [["late_seconds", (row) => row.late]],
      value: (row) => row.late,
      text: (row) => duration(row.late),
    },
    time("due", "due", "When the SLA was over"),
    {
      key: "told_at",
      title: "told",
      left: true,
      hint: "Who was told, and when; or why nobody was",
      csv: [
        ["told_at", (row) => iso(row.told_at)],
        ["told", (row) => row.told.map((one) => `${one.destination} ${one.state}`).join("; ")],
      ],
      value: (row) => row.told_at,
      text: (row) => toldText(row.told, utc),
      node: (row) => element("ul", { class: "told" }, ...row.told.map((one) => toldItem(one, utc, message))),
    },
    time("came_in", "came in", "When the task or run was done"),
    {
      ...text("run", "run", "The run that was late", (row) => row.run),
      csv: [["run_id", (row) => row.run]],
      node: (row) => element("span", { class: "run-id" }, run(row)),
    },
    { ...text("owner", "owner", "Owner of the task in Airflow", (row) => row.owner), csv: [] },
  ];
}

function toldItem(told, utc, message) {
  const standing = toldStanding(told, utc);
  const silence = told.silence ? ` by ${told.silence}` : "";
  const closed = told.recovery ? `, recovery ${told.recovery}` : "";
  return element(
    "li",
    { title: `${told.destination}: ${told.state}${silence}${closed}`, class: told.state === "sent" ? null : "unsent" },
    message(told, `${told.service} ${standing}`),
    told.recovery && told.recovery !== "sent"
      ? element("small", { class: "badge" }, `recovery ${told.recovery}`)
      : null,
  );
}

/** Columns of the table of SLAs. @param {(row: object) => Node} link a Node that leads to the charts of the task. */
export function slaColumns({ link, environments }) {
  const whole = (key, title, hint) => ({ key, title, hint, value: (row) => row[key], text: (row) => count(row[key]) });
  const seconds = (key, title, hint) => ({ ...whole(key, title, hint), text: (row) => duration(row[key]) });
  return [
    nameColumn("SLA of", { link, environments }),
    whole("missed", "missed", "Runs that missed it"),
    whole("runs", "runs", "Runs in the window that could have missed it"),
    {
      ...whole("hit_rate", "met", "Share of the runs that met it"),
      text: (row) => percent(row.hit_rate),
    },
    seconds("p95_late_seconds", "p95 late by", "Of 100 misses that came in, 95 were less late"),
    seconds("worst_late_seconds", "worst", "The latest that came in"),
    whole("open", "open", "Not come in yet"),
  ];
}
