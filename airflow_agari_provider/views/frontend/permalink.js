// @ts-check
/** Write the page's controls as a query string, and read them back. Pure: no document, no state. */

export const RUN_COUNTS = [25, 100, 365, 1000];
export const DAY_COUNTS = [1, 7, 30, 90, 365];
export const PAUSED = ["all", "active", "paused"];
export const STACKS = ["outcome", "task", "lines"];
export const RUN_STATES = ["success", "failed", "running", "queued"];

/** Value of each control that the query string does not name. */
export const DEFAULTS = Object.freeze({
  dag: null,
  task: null,
  runs: 100,
  before: null, // a position from the server, or epoch seconds: show only runs older than this
  after: null, // the same: show only newer runs
  runTypes: [],
  runStates: [],
  mapped: "sum",
  by: "outcome", // what the bars are made of; "lines": a line for each task
  folded: false, // the tasks of a group are one
  idle: false,
  queued: false,
  deferred: false,
  last: false,
  log: false,
  whole: false, // the axis reaches the longest bar, however much longer than the others it is
  since: null, // epoch seconds: only runs due from then on
  until: null, // epoch seconds: only runs due before then
  from: null, // epoch seconds of the first run in the zoomed range
  to: null, // the same, of its last run
  run: null, // id of the run whose tries are listed
  indexes: null, // id of the mapped task of that run whose indexes are listed
  split: null, // epoch seconds: compare the runs before this moment with those from then on
  local: false, // moments are in the reader's time zone, not in UTC
  zone: null, // which that is: "airflow": the one chosen in Airflow, "utc": UTC was chosen; null: the browser's
  sort: null, // column; null: the page's own default
  descending: true,
  search: "",
  days: 30,
  tag: null, // the filters of the page of all DAGs
  owner: null,
  team: null,
  paused: "all",
  problems: false,
});

/** Part of a state: runs of all dates. */
export const ALL_DATES = Object.freeze({ since: null, until: null });

const FLAGS = ["idle", "queued", "deferred", "last", "log", "whole", "folded", "problems"];

/** Controls that change the request to the server; all other controls only change how its answer is shown. */
export const ASKED = [
  "dag",
  "task",
  "runs",
  "before",
  "after",
  "since",
  "until",
  "runTypes",
  "runStates",
  "mapped",
  "days",
];

/** Which time a query string names: ``local`` and ``zone`` of a page's state. @param {URLSearchParams} given */
export function timeOf(given) {
  const time = given.get("time");
  return {
    local: ["local", "airflow"].includes(time),
    zone: ["airflow", "utc"].includes(time) ? time : null,
  };
}

/** The time of a page's state as its query string names it; null: UTC. */
export function timeWord({ local, zone }) {
  return zone ?? (local ? "local" : null);
}

/** Read a query string. A control that is missing or has a wrong value is as in {@link DEFAULTS}. */
export function parse(query) {
  const given = new URLSearchParams(query);
  const sort = given.get("sort");
  return {
    ...DEFAULTS,
    dag: given.get("dag_id") || null,
    task: given.get("task_id") || null,
    runs: oneOf(RUN_COUNTS, Number(given.get("runs")), DEFAULTS.runs),
    before: position(given.get("before")),
    after: given.has("before") ? null : position(given.get("after")),
    runTypes: given.getAll("run_type").filter(Boolean),
    runStates: given.getAll("run_state").filter((state) => RUN_STATES.includes(state)),
    mapped: given.get("mapped") === "longest" ? "longest" : "sum",
    by: oneOf(STACKS, given.get("by"), DEFAULTS.by),
    ...Object.fromEntries(FLAGS.map((flag) => [flag, given.get(flag) === "1"])),
    ...span(epoch(given.get("since")), epoch(given.get("until"))),
    from: epoch(given.get("from")),
    to: epoch(given.get("to")),
    run: given.get("run") || null,
    indexes: given.get("indexes") || null,
    split: epoch(given.get("split")),
    ...timeOf(given),
    sort: sort ? sort.replace(/^-/, "") : null,
    descending: sort ? sort.startsWith("-") : true,
    search: given.get("search") ?? "",
    days: oneOf(DAY_COUNTS, Number(given.get("days")), DEFAULTS.days),
    tag: given.get("tag") || null,
    owner: given.get("owner") || null,
    team: given.get("team") || null,
    paused: oneOf(PAUSED, given.get("paused"), DEFAULTS.paused),
  };
}

/** Write the query string, without its question mark; it leaves out defaults, so links stay short. */
export function format(state) {
  const query = new URLSearchParams();
  const add = (name, value) => value !== null && value !== "" && query.append(name, value);
  add("dag_id", state.dag);
  add("task_id", state.task);
  if (state.runs !== DEFAULTS.runs) add("runs", state.runs);
  add("before", state.before);
  add("after", state.after);
  state.runTypes.forEach((value) => add("run_type", value));
  state.runStates.forEach((value) => add("run_state", value));
  if (state.mapped !== DEFAULTS.mapped) add("mapped", state.mapped);
  if (state.by !== DEFAULTS.by) add("by", state.by);
  FLAGS.filter((flag) => state[flag]).forEach((flag) => add(flag, "1"));
  add("since", state.since);
  add("until", state.until);
  add("from", state.from);
  add("to", state.to);
  add("run", state.run);
  add("indexes", state.indexes);
  add("split", state.split);
  add("time", timeWord(state));
  if (state.sort) add("sort", `${state.descending ? "-" : ""}${state.sort}`);
  add("search", state.search);
  if (state.days !== DEFAULTS.days) add("days", state.days);
  add("tag", state.tag);
  add("owner", state.owner);
  add("team", state.team);
  if (state.paused !== DEFAULTS.paused) add("paused", state.paused);
  return query.toString();
}

/** Address of the tries of a DAG, relative to the page. With ``task``, its figures are those of this task alone. */
export function triesAddress(state, task = null) {
  const query = new URLSearchParams({ runs: state.runs });
  if (state.before !== null) query.append("before", state.before);
  if (state.after !== null) query.append("after", state.after);
  if (state.since !== null) query.append("since", state.since);
  if (state.until !== null) query.append("until", state.until);
  if (task !== null) query.append("task_id", task);
  state.runTypes.forEach((value) => query.append("run_type", value));
  state.runStates.forEach((value) => query.append("run_state", value));
  if (state.mapped !== DEFAULTS.mapped) query.append("mapped", state.mapped);
  return `api/dags/${encodeURIComponent(state.dag)}/tries?${query}`;
}

const COMPARED_UNASKED = 200; // up to this many runs, the server compares with the earlier runs without being asked

/**
 * Address of the earlier figures: of the same number of runs before a window, for the chosen task or all tasks.
 *
 * null: there are not that many earlier runs, or the window's answer already has the earlier figures.
 */
export function earlierAddress(state, window) {
  const newest = state.before === null && state.after === null;
  const enough = newest ? window.total >= 2 * window.shown : window.older;
  if (state.runs <= COMPARED_UNASKED || window.shown < state.runs || !enough) return null;
  return `${triesAddress({ ...state, before: window.before, after: null }, state.task)}&compare=false`;
}

/** Whether a filter hides runs of the DAG. */
export function filtered(state) {
  const places = [state.before, state.after, state.since, state.until];
  return state.runTypes.length > 0 || state.runStates.length > 0 || places.some((place) => place !== null);
}

function oneOf(choices, value, otherwise) {
  return choices.includes(value) ? value : otherwise;
}

/** Epoch seconds, and after a dash the id of the run next to it: this orders runs that are due at the same time. */
function position(text) {
  return /^\d{1,12}(\.\d{1,9})?(-\d{1,15})?$/.test(text ?? "") ? text : null;
}

/** What is no span of time is as if it were not there. */
function span(since, until) {
  const valid = (since ?? 0) >= 0 && (until === null || until > (since ?? 0));
  return valid ? { since, until } : { since: null, until: null };
}

function epoch(text) {
  const value = Number(text);
  return text && Number.isFinite(value) ? value : null;
}
