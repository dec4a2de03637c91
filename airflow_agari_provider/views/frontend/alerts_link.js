// @ts-check
/** Write the controls of the alerts as a query string, and read them back. Pure: no document, no state. */

import { DAY_COUNTS, timeOf, timeWord } from "./permalink.js";

/** As many misses as the server lists at most. */
export const MOST_LISTED = 50_000;

/** Which misses are listed: value, text, and whether a miss is one of them. */
export const SHOWN = [
  ["all", "all misses", () => true],
  ["open", "open", (miss) => miss.open],
  ["closed", "closed", (miss) => !miss.open],
  ["doubtful", "doubtful", (miss) => miss.states.includes("doubtful")],
  ["refused", "refused", (miss) => miss.states.includes("refused")],
  ["silenced", "silenced", (miss) => miss.states.includes("silenced")],
];

/** Value of each control that the query string does not name. */
export const DEFAULTS = Object.freeze({
  dag: null,
  owner: "", // all owners
  service: "", // all services
  show: "all",
  days: 30,
  month: "", // instead of days, such as "2026-11"
  local: false,
  zone: null, // as for the charts
  search: "",
  sort: null, // column of the misses; null: as the server lists them, the open ones first
  descending: true,
});

/** Read a query string. A control that is missing or has a wrong value is as in {@link DEFAULTS}. */
export function parse(query) {
  const given = new URLSearchParams(query);
  const sort = given.get("sort");
  const days = Number(given.get("days"));
  return {
    ...DEFAULTS,
    dag: given.get("dag_id") || null,
    owner: given.get("owner") ?? "",
    service: given.get("service") ?? "",
    show: SHOWN.some(([value]) => value === given.get("show")) ? given.get("show") : DEFAULTS.show,
    days: DAY_COUNTS.includes(days) ? days : DEFAULTS.days,
    month: /^20\d\d-(0[1-9]|1[0-2])$/.test(given.get("month") ?? "") ? given.get("month") : "",
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
  add("owner", state.owner);
  add("service", state.service);
  if (state.show !== DEFAULTS.show) add("show", state.show);
  if (state.days !== DEFAULTS.days) add("days", state.days);
  add("month", state.month);
  add("time", timeWord(state));
  add("search", state.search);
  if (state.sort) add("sort", `${state.descending ? "-" : ""}${state.sort}`);
  return query.toString();
}

/**
 * Address of the alerts, relative to the page.
 *
 * @param {any} state
 * @param {boolean} [everything] list all misses, not only the first ones.
 */
export function alertsAddress({ dag, days, month }, everything = false) {
  const query = new URLSearchParams(month ? { month } : { days });
  if (everything) query.append("limit", String(MOST_LISTED));
  if (dag) query.append("dag_id", dag);
  return `api/alerts?${query}`;
}

/** The windows to choose from: numbers of days, and the last twelve months, the newest first. @param {number} now */
export function windows(now) {
  const today = new Date(now * 1000);
  const months = [...Array(12).keys()].map((back) =>
    new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth() - back)).toISOString().slice(0, 7),
  );
  return [
    ...DAY_COUNTS.map((days) => [String(days), days === 1 ? "last 24 hours" : `last ${days} days`]),
    ...months.map((month) => [month, month]),
  ];
}

/** The change of the controls that chooses a window. */
export function windowChange(value) {
  return value.includes("-") ? { month: value } : { month: "", days: Number(value) };
}

/** Whether a filter hides misses that the server has sent. */
export function filtered(state) {
  return Boolean(state.owner || state.service || state.search || state.show !== DEFAULTS.show);
}

/** Whether the controls ask for misses that are not among the first ones of the list. */
export function needsAll(state) {
  return filtered(state) || state.sort !== null;
}
