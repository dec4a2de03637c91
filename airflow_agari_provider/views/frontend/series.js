// @ts-check
/** Compute what the charts show from the server's columns. Pure: no document, no state. */

/** Kinds of waiting that can be stacked on the tries: name of the control, column of ``payload.tries``. */
export const WAITS = [
  ["deferred", "deferred_seconds"],
  ["queued", "queued_seconds"],
  ["idle", "idle_seconds"],
];

/** Outcomes from the axis upwards: the try that counts is lowest, the lost tries are on top of it. */
export const STACK_ORDER = [
  "success",
  "superseded",
  "skipped",
  "removed",
  "failed_for_good",
  "failed_first",
  "failed_second",
  "failed_later",
  "running",
  "deferred",
];

/** Types of runs that do not show how long the work usually takes. */
const UNTYPICAL = new Set(["backfill"]);
const UNFINISHED = new Set(["running", "queued"]);
const LONGEST_LABEL = 28; // characters of a task's name above the line of its shift

/**
 * Indexes into ``payload.tries`` of the tries that are shown.
 *
 * @param {number} task index of the only task shown; -1: all.
 * @param {boolean} last show only the newest try of each run and task.
 * @param {[number, number]} range first and last run.
 */
export function shownTries(payload, task, last, range = [0, Infinity]) {
  const { tries } = payload;
  const shown = [];
  for (let index = 0; index < tries.run.length; index += 1) {
    const run = tries.run[index];
    if (task >= 0 && tries.task[index] !== task) continue;
    if (last && !tries.last[index]) continue;
    if (run >= range[0] && run <= range[1]) shown.push(index);
  }
  return shown;
}

/** What to call each task: its display name in Airflow, else its id. */
export function taskNames({ tasks }) {
  return tasks.display_name ?? tasks.task_id;
}

/** In which figures a try is; the server decides it, see ``charts/outcomes.py``. */
export const COUNTED = { not: 0, inSums: 1, inAll: 2 };

export const standing = (tries, index) => tries.counted?.[index] ?? COUNTED.inAll;

/** Runs whose time is not usual: one of the shown tries goes on, or ran nobody knows how long. */
export function unusualRuns({ tries }, shown) {
  return new Set(shown.filter((index) => standing(tries, index) === COUNTED.inSums).map((index) => tries.run[index]));
}

/**
 * Layer of a try: its outcome, or "failed_for_good" for the newest try of a task in a run that has ended.
 *
 * While a run goes on, Airflow may still retry it.
 */
export function layerOf({ runs, tries, outcomes }, index) {
  const outcome = outcomes[tries.outcome[index]];
  const settled = tries.last[index] && !UNFINISHED.has(runs.state[tries.run[index]]);
  return settled && outcome.startsWith("failed") ? "failed_for_good" : outcome;
}

/**
 * Seconds per run, a layer for each outcome and each kind of waiting that occurs, from the axis upwards.
 *
 * @param {number[]} shown from {@link shownTries}.
 * @param {object} waits which of ``idle``, ``queued``, ``deferred`` to stack.
 * @returns {{key: string, values: (number|null)[]}[]} null where the run has no time in that layer.
 */
export function layers(payload, shown, waits) {
  const { tries } = payload;
  const length = payload.runs.run_id.length;
  const found = new Map();
  const add = (key, run, seconds) => {
    if (!found.has(key)) found.set(key, new Array(length).fill(null));
    const values = found.get(key);
    values[run] = (values[run] ?? 0) + seconds;
  };
  for (const index of shown) {
    if (standing(tries, index) === COUNTED.not) continue;
    const run = tries.run[index];
    add(layerOf(payload, index), run, tries.run_seconds[index] ?? 0);
    for (const [control, column] of WAITS) {
      const seconds = tries[column][index];
      if (waits[control] && seconds > 0) add(`wait_${control}`, run, seconds);
    }
  }
  const order = [...STACK_ORDER, ...WAITS.map(([control]) => `wait_${control}`)];
  return order.filter((key) => found.has(key)).map((key) => ({ key, values: found.get(key) }));
}

/** Height of each run's bar, in seconds; null for a run without a shown try. */
export function totals(stack, length) {
  return Array.from({ length }, (_, run) =>
    stack.reduce((sum, { values }) => (values[run] === null ? sum : (sum ?? 0) + values[run]), null),
  );
}

/**
 * For each run, the median of that run and the runs before it, at most ``width`` runs in total.
 *
 * Backfills, unfinished runs, runs without a value and the ``unusual`` runs do not count: the line keeps its value
 * there.
 *
 * @param {Set<number>} unusual from {@link unusualRuns}.
 */
export function rollingMedian(runs, values, width = 25, unusual = new Set()) {
  const recent = [];
  const typical = (run) => !UNTYPICAL.has(runs.run_type[run]) && !UNFINISHED.has(runs.state[run]) && !unusual.has(run);
  return values.map((value, run) => {
    if (value !== null && typical(run)) {
      recent.push(value);
      if (recent.length > width) recent.shift();
    }
    return recent.length ? median(recent) : null;
  });
}

export function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** What a cell of the tries map can show; a higher number matters more and wins. */
export const CELL = { none: 0, skipped: 1, once: 2, twice: 3, thrice: 4, more: 5, running: 6 };

/**
 * Tries per task and run.
 *
 * @returns {object} ``runs``, the number of runs, and at ``task * runs + run``: ``level``, a {@link CELL}; ``count``, the
 *   number of tries; ``started``, the same over all map indexes; ``failed``, whether the newest try, of any index, failed;
 *   ``blocked``, whether it could not start, as a task before it failed.
 */
export function triesMap(payload) {
  const { tries, outcomes } = payload;
  const runs = payload.runs.run_id.length;
  const size = runs * payload.tasks.task_id.length;
  const map = {
    level: new Uint8Array(size),
    count: new Uint16Array(size),
    started: new Uint32Array(size),
    failed: new Uint8Array(size),
    blocked: new Uint8Array(size),
    runs,
  };
  payload.blocked?.run.forEach((run, at) => {
    map.blocked[payload.blocked.task[at] * runs + run] = 1;
  });
  const seen = new Set();
  for (let index = 0; index < tries.run.length; index += 1) {
    const cell = tries.task[index] * runs + tries.run[index];
    const outcome = outcomes[tries.outcome[index]];
    const key = `${cell}/${tries.try_number[index]}`;
    if (!seen.has(key)) map.count[cell] += 1; // a mapped task has a row for every outcome of a try
    seen.add(key);
    map.started[cell] += tries.instances[index];
    if (tries.last[index] && outcome.startsWith("failed")) map.failed[cell] = 1;
    map.level[cell] = Math.max(map.level[cell], levelOf(outcome, map.count[cell]));
  }
  return map;
}

function levelOf(outcome, tries) {
  if (outcome === "running" || outcome === "deferred") return CELL.running;
  if (tries > 1) return [CELL.twice, CELL.thrice, CELL.more][Math.min(tries, 4) - 2];
  return outcome === "skipped" || outcome === "removed" ? CELL.skipped : CELL.once;
}

/** Outcomes that complete a task, so that its SLA is met; see ``alerts/task_states.py``. */
const DONE = new Set(["success", "superseded", "skipped", "removed"]);

/** When the SLAs of a run began to count: when it was queued, as for the alerts; if unknown, when it started. */
export function slaReference({ queued_at: queued, start }, run) {
  return queued?.[run] ?? start[run];
}

/**
 * Indexes of the runs in which the task was not done when its SLA had passed. A success in time counts, even if the
 * task was cleared later.
 *
 * A run without a try of the task counts unless the run succeeded. Runs before the task's first try never count: the
 * task may not have been in the DAG yet.
 */
export function lateRuns(payload, task) {
  const { runs, tries, now } = payload;
  const sla = task >= 0 ? payload.tasks.sla[task] : null;
  if (sla === null || sla === undefined) return [];
  const byRun = new Map();
  for (const index of shownTries(payload, task, false))
    byRun.set(tries.run[index], [...(byRun.get(tries.run[index]) ?? []), index]);
  const first = Math.min(...byRun.keys());
  return runs.run_id
    .map((_, run) => run)
    .filter((run) => {
      const began = slaReference(runs, run);
      if (began === null || run < first || (!byRun.has(run) && runs.state[run] === "success")) return false;
      return doneAt(payload, byRun.get(run) ?? []) > began + sla && now > began + sla;
    });
}

/** When all instances of a task in a run had been done for the first time; Infinity: they are not done yet. */
function doneAt({ tries, outcomes }, ofRun) {
  const ofTry = new Map();
  ofRun.forEach((index) =>
    ofTry.set(tries.try_number[index], (ofTry.get(tries.try_number[index]) ?? 0) + tries.instances[index]),
  );
  let open = Math.max(1, ...ofTry.values());
  const ends = ofRun
    .filter((index) => DONE.has(outcomes[tries.outcome[index]]))
    .sort((one, other) => tries.end[one] - tries.end[other]);
  const last = ends.find((index) => {
    open -= tries.instances[index];
    return open <= 0;
  });
  return last === undefined ? Infinity : tries.end[last];
}

/** Indexes of the first and last run between two epoch seconds; null leaves an end open. No run between: all runs. */
export function rangeOf(runs, from, to) {
  const whole = [0, Math.max(0, runs.run_after.length - 1)];
  const first = from === null ? 0 : runs.run_after.findIndex((at) => at >= from);
  const last = to === null ? whole[1] : runs.run_after.findLastIndex((at) => at <= to);
  return first >= 0 && last >= first ? [first, last] : whole;
}

/** A range ``factor`` times as wide, with ``run`` as near its middle as the ends allow; at least two runs. */
export function rangeScaled([first, last], factor, run, length) {
  const width = Math.min(length, Math.max(2, Math.round((last - first + 1) * factor)));
  const start = Math.min(length - width, Math.max(0, run - Math.floor(width / 2)));
  return [start, start + width - 1];
}

/** The range of runs around one run, ``around`` runs on either side. */
export function rangeAround(run, length, around = 50) {
  return [Math.max(0, run - around), Math.min(length - 1, run + around)];
}

/**
 * One line for each run at which a task changed, with the label above it. Pure.
 *
 * @param {string[]|null} names of the tasks; null: all shifts belong to the only task shown.
 */
export function shiftLines(shifts, names) {
  const runs = [...new Set(shifts.map(({ run }) => run))];
  return runs.map((run) => {
    const tasks = [...new Set(shifts.filter((shift) => shift.run === run).map(({ task }) => task))];
    if (names === null) return { run, label: "shift" };
    return { run, label: tasks.length > 1 ? `${tasks.length} tasks` : shortened(names[tasks[0]]) };
  });
}

function shortened(name) {
  return name.length > LONGEST_LABEL ? `${name.slice(0, LONGEST_LABEL - 1)}…` : name;
}
