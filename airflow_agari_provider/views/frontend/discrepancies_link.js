// @ts-check
/** Write the controls of the discrepancies as a query string, and read them back. Pure: no document, no state. */

import { DAY_COUNTS, timeOf, timeWord } from "./permalink.js";

const DAY = 86400;

/** Value of each control that the query string does not name. */
export const DEFAULTS = Object.freeze({
  dag: null,
  task: null, // of one check; null: all checks
  days: 30,
  until: null, // epoch seconds: the end of these days; null: now
  problems: false, // only what is not ok
  run: null, // date of the run whose keys are listed
  key: null, // only this key
  local: false,
  zone: null, // as for the charts
  search: "",
  sort: null, // column; null: as the server lists them
  descending: true,
});

/** Read a query string. A control that is missing or has a wrong value is as in {@link DEFAULTS}. */
export function parse(query) {
  const given = new URLSearchParams(query);
  const sort = given.get("sort");
  const days = Number(given.get("days"));
  const until = given.get("until") ?? "";
  return {
    ...DEFAULTS,
    dag: given.get("dag_id") || null,
    task: (given.get("dag_id") && given.get("task_id")) || null,
    days: DAY_COUNTS.includes(days) ? days : DEFAULTS.days,
    until: /^\d{1,10}$/.test(until) ? Number(until) : null,
    problems: given.get("problems") === "true",
    run: given.get("run") || null,
    key: given.get("key"),
    ...timeOf(given),
    search: given.get("search") ?? "",
    sort: sort ? sort.replace(/^-/, "") : null,
    descending: sort ? sort.startsWith("-") : true,
  };
}

/** Write the query string, without its question mark; it leaves out defaults, so links stay short. */
export function format(state) {
  const query = new URLSearchParams();
  const add = (name, value) => value && query.append(name, value);
  add("dag_id", state.dag);
  add("task_id", state.task);
  if (state.days !== DEFAULTS.days) add("days", state.days);
  add("until", state.until);
  if (state.problems) add("problems", "true");
  add("run", state.run);
  if (state.key !== null) query.append("key", state.key);
  add("time", timeWord(state));
  add("search", state.search);
  if (state.sort) add("sort", `${state.descending ? "-" : ""}${state.sort}`);
  return query.toString();
}

/** Address of all checks, or of the runs of one, relative to the page. */
export function dataAddress({ dag, task, days, until, problems }) {
  const query = new URLSearchParams({ days });
  if (until !== null) query.append("until", until);
  if (problems) query.append("problems", "true");
  if (dag !== null) query.append("dag_id", dag);
  if (task !== null) query.append("task_id", task);
  return `api/discrepancies${task === null ? "" : "/runs"}?${query}`;
}

/**
 * The change of the controls that shows the days before these, or after them.
 *
 * @param {any} state
 * @param {number} direction -1 or 1.
 * @param {number} now
 */
export function moved({ days, until }, direction, now) {
  const end = Math.round((until ?? now) + direction * days * DAY);
  return { until: end >= now ? null : end, run: null };
}

/** The change of the controls that shows all checks, or one. */
export function chosen(dag, task = null) {
  return { dag, task, run: null, key: null, search: "", sort: null, descending: true };
}

/** Whether a control hides what is stored. */
export function filtered(state) {
  return Boolean(state.problems || state.search || state.until || state.key !== null);
}
