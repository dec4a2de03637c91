import assert from "node:assert/strict";
import { test } from "node:test";
import { comparison } from "../../../airflow_agari_provider/views/frontend/compare.js";
import { criticalPath } from "../../../airflow_agari_provider/views/frontend/critical_path.js";
import { clockRows } from "../../../airflow_agari_provider/views/frontend/run_clock.js";
import { shownTries } from "../../../airflow_agari_provider/views/frontend/series.js";
import { smallPayload } from "./small_payload.js";

/** One run of five tasks: [start, end] of each; null: it goes on. */
function oneRun(times, downstream) {
  const tasks = times.map((_, task) => task);
  return {
    now: 1000,
    runs: { start: [0] },
    tasks: { task_id: tasks.map(String), downstream },
    tries: { run: tasks.map(() => 0), task: tasks, start: times.map(([at]) => at), end: times.map(([, at]) => at) },
  };
}

test("the critical path goes back from the task that ended last, along those that it waited for", () => {
  const diamond = oneRun(
    [
      [5, 10],
      [11, 40],
      [11, 90],
      [91, 100],
      [11, 95],
    ],
    [[1, 2, 4], [3], [3], [], []],
  );
  assert.deepEqual(criticalPath(diamond, 0), [
    { task: 0, seconds: 10 },
    { task: 2, seconds: 80 },
    { task: 3, seconds: 10 },
  ]);
});

test("a task that goes on is the last one, and what waits for nothing is a path of its own", () => {
  assert.deepEqual(
    criticalPath(
      oneRun(
        [
          [5, 10],
          [6, null],
        ],
        [[], []],
      ),
      0,
    ),
    [{ task: 1, seconds: 1000 }],
  );
});

test("a server that does not tell the order, a run without tries, and a circle have a path too", () => {
  assert.deepEqual(
    criticalPath(
      oneRun(
        [
          [5, 10],
          [6, 20],
        ],
        undefined,
      ),
      0,
    ),
    [{ task: 1, seconds: 20 }],
  );
  assert.deepEqual(criticalPath(oneRun([[5, 10]], [[]]), 1), []);
  assert.equal(
    criticalPath(
      oneRun(
        [
          [5, 10],
          [6, 20],
        ],
        [[1], [0]],
      ),
      0,
    ).length,
    2,
  );
});

test("each try stands where it was on the clock, after what it waited for", () => {
  const payload = smallPayload();
  const [extract, load] = clockRows(payload, shownTries(payload, -1, false, [0, 0]));
  const short = ({ kind, from, to }) => [kind, from, to];
  assert.deepEqual(extract.spans.map(short), [
    ["queued", 998, 1000],
    ["ran", 1000, 1060],
  ]);
  assert.deepEqual(load.spans.slice(2).map(short), [
    ["idle", 1095, 1395],
    ["queued", 1395, 1400],
    ["ran", 1400, 1440],
    ["idle", 1446, 1746],
    ["queued", 1746, 1750],
    ["ran", 1750, 1850],
  ]);
});

test("a try that runs now reaches up to now; of several indexes the waits are the averages", () => {
  const payload = smallPayload();
  payload.tries.instances[6] = 5;
  payload.tries.queued_seconds[6] = 50;
  const [row] = clockRows(payload, [6]);
  assert.deepEqual(
    row.spans.map(({ from, to }) => [from, to]),
    [
      [8190, 8200],
      [8200, 8215],
    ],
  );
});

/** Ten runs of one task; the run at 5 has run_after 500. */
function tenRuns(seconds) {
  const runs = seconds.map((_, run) => run);
  return {
    runs: {
      run_id: runs.map(String),
      run_after: runs.map((run) => 100 * run),
      run_type: runs.map(() => "scheduled"),
      state: runs.map(() => "success"),
    },
    tasks: { task_id: ["load"] },
    outcomes: ["failed_first", "success"],
    tries: {
      run: runs,
      task: runs.map(() => 0),
      outcome: runs.map(() => 1),
      instances: runs.map(() => 1),
      run_seconds: seconds,
      counted: runs.map(() => 2),
    },
  };
}

test("runs before a moment and from then on are compared by their medians and failed tries", () => {
  const payload = tenRuns([10, 10, 10, 10, 10, 15, 15, 15, 15, 15]);
  payload.tries.outcome[9] = 0;
  const rows = comparison(payload, [...payload.tries.run], 500);
  const found = { runs: [5, 5], median: [10, 15], failed: [0, 0.2], change: 50 };
  assert.deepEqual(rows, [
    { task: -1, ...found },
    { task: 0, ...found },
  ]);
});

test("backfills, runs that go on and unknown times are in no median, and two runs have none", () => {
  const payload = tenRuns([10, 10, 10, 10, 10, 15, 15, 15, 15, 15]);
  payload.runs.run_type[5] = "backfill";
  payload.runs.state[6] = "running";
  payload.tries.counted[7] = 1;
  const [all] = comparison(payload, [...payload.tries.run], 500);
  assert.deepEqual([all.runs, all.median, all.change], [[5, 2], [10, null], null]);
});

test("a moment before or after all runs leaves a side empty, and says so", () => {
  const payload = tenRuns([10, 10, 10]);
  for (const [at, median] of [
    [0, [null, 10]],
    [900, [10, null]],
  ])
    assert.deepEqual(comparison(payload, [0, 1, 2], at)[0].median, median);
});
