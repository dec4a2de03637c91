/** Rows and columns of the table of all DAGs. */

import { iso } from "./csv.js";
import { element } from "./dom.js";
import { count, duration, moment, percent } from "./units.js";

const SIGNS = { success: "✓", failed: "✕", running: "▶", queued: "◦" }; // the same meaning as the colours
const STATES = Object.keys(SIGNS);

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
        element("span", {}, link(row.id, row.name), row.paused ? element("small", { class: "badge" }, "paused") : null),
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
