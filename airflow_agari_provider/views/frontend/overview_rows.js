/** Rows and columns of the table of all DAGs. */

import { iso } from "./csv.js";
import { element } from "./dom.js";
import { count, duration, moment, percent } from "./units.js";

const SIGNS = { success: "✓", failed: "✕", running: "▶", queued: "◦" }; // the same meaning as the colours
const STATES = Object.keys(SIGNS);
/** How the tasks of the newest run stand, in words, from what needs a person to what needs none. */
const STANDS = {
  failed: "failed",
  upstream_failed: "not started, as one before failed",
  up_for_retry: "waiting for a retry",
  running: "running",
  deferred: "deferred",
  queued: "queued",
  waiting: "not scheduled yet",
  skipped: "skipped",
  success: "success",
};
const FAILED_FIRST = 1e12; // seconds; more than any DAG loses

/**
 * One row per DAG, from the server's columns. The values of the slower answer are null until it arrives. Pure.
 *
 * @param {boolean} [counting] whether the page still waits for the slower answer.
 */
export function overviewRows({ dags }, taskTime, counting = taskTime === null) {
  const slow = new Map((taskTime?.dags.dag_id ?? []).map((name, index) => [name, index]));
  return dags.dag_id.map((name, index) => {
    const at = slow.get(name);
    const time = at === undefined ? null : taskTime.dags;
    const states = (counts) => Object.fromEntries(STATES.map((state) => [state, counts[state][index]]));
    return {
      id: name,
      name: dags.display_name?.[index] ?? name,
      paused: dags.paused[index],
      last_run: dags.last_run[index],
      last_state: dags.last_state?.[index] ?? null,
      owners: dags.owners?.[index] ?? [],
      tags: dags.tags?.[index] ?? [],
      teams: [dags.team?.[index] ?? []].flat(),
      newest_run: time?.newest_run
        ? Object.fromEntries(Object.keys(STANDS).map((state) => [state, time.newest_run[state]?.[at] ?? 0]))
        : null,
      ever: states(dags.ever),
      window: states(dags.window),
      failures: dags.failures[index],
      failed_tries: dags.failed_tries[index],
      lost_seconds: dags.lost_seconds[index],
      active: dags.active[index],
      counting,
      retry_rate: time && time.started[at] > 0 ? time.retried[at] / time.started[at] : null,
      total_seconds: time ? time.total_seconds[at] : null,
    };
  });
}

/** Whether something failed in the window, or the newest run did. Pure. */
export function hasProblem({ last_state: last, window, failures }) {
  return last === "failed" || window.failed > 0 || failures > 0;
}

/**
 * Whether a row passes the filters of the page. Pure.
 *
 * @param {{tag: string|null, owner: string|null, team: string|null, paused: string, problems: boolean}} state
 */
export function passes(row, { tag, owner, team, paused, problems }) {
  return (
    (tag === null || row.tags.includes(tag)) &&
    (owner === null || row.owners.includes(owner)) &&
    (team === null || row.teams.includes(team)) &&
    (paused === "all" || row.paused === (paused === "paused")) &&
    (!problems || hasProblem(row))
  );
}

/** All values of a column of lists, in order. Pure. */
export function choicesOf(rows, column) {
  return [...new Set(rows.flatMap((row) => row[column]))].sort((one, other) => one.localeCompare(other));
}

/** @param {(id: string, name: string) => Node} link to a DAG's page. */
export function overviewColumns({ days, utc, link }) {
  const whole = (key, title, hint) => ({ key, title, hint, value: (row) => row[key], text: (row) => count(row[key]) });
  const slow = (key, title, hint, text) => ({
    key,
    title,
    hint,
    value: (row) => row[key],
    text: (row) => (row.counting ? "…" : text(row[key])),
  });
  const runs = (key, title, hint) => ({
    key,
    title,
    hint,
    left: true,
    csv: STATES.map((state) => [`${key}_${state}`, (row) => row[key][state]]),
    value: (row) => sum(row[key]),
    text: (row) => inWords(row[key]),
    node: (row) => runsBar(row[key]),
  });
  return [
    {
      key: "name",
      title: "DAG",
      name: true,
      csv: [["dag_id", (row) => row.id]],
      hint: "Sort by name",
      value: (row) => row.name,
      node: (row) =>
        element(
          "span",
          {},
          link(row.id, row.name),
          ...[...(row.paused ? ["paused"] : []), ...row.tags].map((text) => element("small", { class: "badge" }, text)),
        ),
    },
    {
      key: "newest_run",
      title: "newest run",
      hint: "State of the newest run in the window, and how its tasks stand; failed ones first, then by lost time",
      left: true,
      csv: [
        ["last_state", (row) => row.last_state],
        ...Object.keys(STANDS).map((state) => [`newest_run_${state}`, (row) => row.newest_run?.[state] ?? null]),
      ],
      value: (row) => (row.last_state === "failed" ? FAILED_FIRST : 0) + row.lost_seconds,
      text: newestInWords,
      node: newestBar,
    },
    {
      key: "last_run",
      title: "last run",
      csv: [["last_run", (row) => iso(row.last_run)]],
      value: (row) => row.last_run,
      text: (row) => moment(row.last_run, utc),
    },
    runs("ever", "runs ever", "Runs by state since the beginning"),
    runs("window", `runs in ${days === 1 ? "1 day" : `${days} days`}`, "Runs by state in the window"),
    whole("failures", "failures", "Task instances that ended as failed in the window"),
    whole("failed_tries", "failed tries", "Tries that failed in the window, also where a later try succeeded"),
    {
      key: "lost_seconds",
      title: "lost",
      hint: "Running time of failed tries in the window",
      value: (row) => row.lost_seconds,
      text: (row) => duration(row.lost_seconds),
    },
    slow("retry_rate", "retry rate", "Task instances that needed more than one try", percent),
    slow("total_seconds", "total time", "Running time of all tries in the window", duration),
    whole("active", "active", "Task instances running, queued or deferred now"),
  ];
}

/** Legend: what the signs before the numbers of runs mean. */
export function statesLegend() {
  return element("div", { class: "states", "aria-hidden": "true" }, ...STATES.map((state) => signed(state, state)));
}

function signed(state, text) {
  return element("span", { class: `number ${state}` }, `${SIGNS[state]} ${text}`);
}

function newestInWords({ last_state: state, newest_run: tasks, counting }) {
  if (state === null) return "none in the window";
  const parts = Object.entries(tasks ?? {}).filter(([, number]) => number > 0);
  const words = parts.map(([stands, number]) => `${count(number)} ${STANDS[stands]}`);
  return `${state}${counting ? "" : `: ${words.join(", ") || "no task"}`}`;
}

/** State of the newest run, and a bar of how its tasks stand. */
function newestBar(row) {
  const text = newestInWords(row);
  if (row.last_state === null) return element("span", { class: "muted", title: text }, "–");
  const tasks = Object.entries(row.newest_run ?? {}).filter(([, number]) => number > 0);
  const parts = tasks.map(([stands, number]) =>
    element("i", { class: `state stands-${stands}`, style: { "flex-grow": number } }),
  );
  return element(
    "div",
    { class: "runs", title: text },
    element("div", { class: "runs-bar", role: "img", "aria-label": text }, ...parts),
    element("div", { class: "runs-numbers", "aria-hidden": "true" }, signed(row.last_state, row.last_state)),
  );
}

function sum(counts) {
  return STATES.reduce((total, state) => total + counts[state], 0);
}

function inWords(counts) {
  const parts = STATES.filter((state) => counts[state] > 0).map((state) => `${count(counts[state])} ${state}`);
  return parts.join(", ") || "none";
}

/** A bar and its numbers; its label says as text what the colours show, for screen readers. */
function runsBar(counts) {
  const found = STATES.filter((state) => counts[state] > 0);
  const parts = found.map((state) => element("i", { class: `state ${state}`, style: { "flex-grow": counts[state] } }));
  const numbers = found.map((state) => signed(state, count(counts[state])));
  return element(
    "div",
    { class: "runs", title: inWords(counts) },
    element("div", { class: "runs-bar", role: "img", "aria-label": inWords(counts) }, ...parts),
    element("div", { class: "runs-numbers", "aria-hidden": "true" }, ...(numbers.length ? numbers : ["–"])),
  );
}
