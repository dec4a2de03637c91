/** Three runs of two tasks, as the server would tell them. */
export function smallPayload() {
  const tries = [
    // run, task, number, outcome, start, end, run, idle, queued, deferred, instances, index, last
    [0, 0, 1, 4, 1000, 1060, 60, 0, 2, 0, 1, -1, true],
    [0, 1, 1, 0, 1070, 1100, 30, 0, 3, 0, 1, -1, false],
    [0, 1, 2, 1, 1400, 1440, 40, 300, 5, 0, 1, -1, false],
    [0, 1, 3, 4, 1750, 1850, 20, 300, 4, 80, 1, -1, true],
    [1, 0, 1, 4, 4600, 4650, 50, 0, 1, 0, 1, -1, true],
    [1, 1, 1, 0, 4660, 4670, 10, 0, 1, 0, 1, -1, true],
    [2, 0, 1, 5, 8200, null, 15, 0, 1, 0, 1, -1, true],
  ];
  const columns = [
    "run",
    "task",
    "try_number",
    "outcome",
    "start",
    "end",
    "run_seconds",
    "idle_seconds",
    "queued_seconds",
    "deferred_seconds",
    "instances",
    "map_index",
    "last",
  ];
  const running = 5;
  return {
    dag_id: "scoring",
    now: 8215,
    window: {
      shown: 3,
      total: 3,
      first: 900,
      last: 8100,
      older: false,
      newer: false,
      before: "900-1",
      after: "8100-3",
      purged_before: null,
      text: "all 3 runs",
    },
    runs: {
      run_id: ["one", "two", "three"],
      run_after: [900, 4500, 8100],
      logical_date: [900, null, 8100],
      run_type: ["scheduled", "manual", "scheduled"],
      state: ["success", "failed", "running"],
      start: [950, 4550, 8150],
      end: [1900, 4700, null],
      deadline: [null, null, null],
      deadline_missed: [false, false, false],
    },
    tasks: { task_id: ["extract", "load"], operator: ["A", "B"], mapped: [false, false], sla: [null, 600] },
    outcomes: [
      "failed_first",
      "failed_second",
      "failed_later",
      "superseded",
      "success",
      "running",
      "deferred",
      "skipped",
      "removed",
    ],
    tries: {
      ...Object.fromEntries(columns.map((column, at) => [column, tries.map((row) => row[at])])),
      counted: tries.map((row) => (row[3] === running ? 1 : 2)),
      end_unknown: tries.map(() => false),
    },
    figures: {},
    task_figures: [],
    shifts: [],
  };
}
