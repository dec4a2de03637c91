// @ts-check
/** Texts for when there is nothing to draw, and what to do about it. Pure: no document, no state. */

import { filtered } from "./permalink.js";
import { counted, duration, moment, zone } from "./units.js";

const UNFINISHED = new Set(["running", "deferred"]);

const ADVICE = {
  0: ["Airflow did not answer", "Check the network, or whether the web server is up; then try again."],
  400: [
    "The server did not understand the request",
    "An address typed by hand may hold a wrong value: reset the page.",
  ],
  401: ["You are logged out", "Log in to Airflow again, then come back to this page."],
  403: ["You may not see this", "Ask for permission to read this DAG, its runs and its task instances."],
  404: ["There is no such DAG", "It may have been renamed or deleted: look for it among all DAGs."],
  422: ["The server cannot answer this", "An address typed by hand may hold a wrong value: reset the page."],
  503: ["This took the database too long", "Ask for fewer runs, or try again when the database is less busy."],
};

/** Title, sentence and action for an error answer of the server. */
export function errorNotice(status, detail) {
  const [title, advice] = ADVICE[status] ?? [
    `The server failed (${status})`,
    "The web server’s log says why. Try again after that.",
  ];
  // The server's texts for too many runs, or too many tries in them: see views/parameters.py and views/queries/tries.py.
  const tooMany = status === 422 && /^(runs is|These runs have more than) /.test(detail);
  const action = tooMany
    ? "fewer"
    : ({ 400: "reset", 401: "log in", 403: "all DAGs", 404: "all DAGs", 422: "reset", 503: "fewer" }[status] ??
      "again");
  return { title, text: detail || advice, action };
}

/**
 * The line above old data after a failed refresh.
 *
 * @param {{status: number, message: string}} error
 * @param {number} now moment of that data, in epoch seconds.
 * @param {boolean} local whether moments are in the time zone of the browser.
 */
export function staleNotice({ status, message }, now, local) {
  const { title } = errorNotice(status, message);
  return `${title}: the page shows the state of ${moment(now, !local)} and keeps trying.`;
}

/** Since when a task is different, in the chosen time zone. */
export function shiftText(payload, { task, kind, run, before, after }, local) {
  const when = `${moment(payload.runs.run_after[run], !local)} (${zone(!local)})`;
  const what =
    kind === "tries"
      ? `mean ${before.toFixed(1)} to ${after.toFixed(1)} tries`
      : `median ${duration(before)} to ${duration(after)}`;
  return `${payload.tasks.task_id[task]} changed around ${when}: ${what}`;
}

/**
 * When the oldest failed try of the overview's window was, if that is long after the window's start; otherwise "".
 * The page cannot tell whether no try failed before that or ``airflow db clean`` removed the tries.
 */
export function oldestFailure({ now, since, dags }, utc) {
  const oldest = Math.min(...(dags.oldest_failed_try ?? []).filter((at) => at !== null));
  return Number.isFinite(oldest) && oldest - since > (now - since) / 4
    ? `, its first failed try at ${moment(oldest, utc)}`
    : "";
}

/** Why there is nothing to draw; null: there is something to draw. */
export function emptyNotice(payload, state) {
  const { window, runs, tasks, tries } = payload;
  if (window.shown === 0 && window.total > 0)
    return { title: "No run here", text: `${window.text[0].toUpperCase()}${window.text.slice(1)}.`, action: "newest" };
  if (window.shown === 0 && filtered(state))
    return { title: "No run matches the filters", text: "The DAG may have other runs.", action: "reset" };
  if (window.shown === 0)
    return {
      title: "No runs yet",
      text: "Unpause or trigger the DAG: its tries appear here as soon as a task starts.",
      action: "open DAG",
    };
  if (state.task !== null && !tasks.task_id.includes(state.task))
    return {
      title: `No task ${state.task} in these runs`,
      text: "It may have been renamed or removed, or it has not started in any of these runs.",
      action: "all tasks",
    };
  if (tries.run.length === 0 && window.purged_before !== null && runs.run_after.at(-1) <= window.purged_before)
    return { title: "These tries were purged", text: purged(window.purged_before), action: "newest" };
  if (tries.run.length === 0)
    return {
      title: "No task has started in these runs",
      text: "They may be waiting for a slot, or all of their tasks were skipped.",
      action: filtered(state) ? "reset" : "open DAG",
    };
  return null;
}

/** Sentence for a window that reaches back to times whose tries were removed; null for other windows. */
export function purgeNotice(payload) {
  const { purged_before: before, first } = payload.window;
  return before !== null && first !== null && first <= before ? purged(before) : null;
}

/** Sentences about shown tries of which Airflow does not tell how long they ran. */
export function unknownTimes({ tries, outcomes }, shown) {
  const endless = shown.filter((index) => tries.end_unknown?.[index]);
  const waited = shown.filter((index) => tries.deferred_seconds[index] === null && !tries.end_unknown?.[index]);
  const settled = waited.filter((index) => !UNFINISHED.has(outcomes[tries.outcome[index]]));
  const number = (indexes) =>
    counted(
      indexes.reduce((sum, index) => sum + tries.instances[index], 0),
      "try",
      "tries",
    );
  return [
    endless.length > 0 &&
      `${number(endless)} ended, but Airflow recorded no end, as when a run times out: counted up to the end of the run, and not in medians.`,
    settled.length > 0 &&
      `${number(settled)} waited without a worker, and Airflow’s log does not show how long: counted from start to end, and not in medians.`,
  ].filter(Boolean);
}

function purged(before) {
  return `Tries before ${moment(before, true)} ${zone(true)} were removed by “airflow db clean”: the charts are incomplete before that time.`;
}
