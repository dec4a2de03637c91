import assert from "node:assert/strict";
import { test } from "node:test";
import {
  CELL,
  lateRuns,
  layerOf,
  layers,
  rangeAround,
  rangeOf,
  rangeScaled,
  rollingMedian,
  shiftLines,
  shownTries,
  totals,
  triesMap,
  unusualRuns,
} from "../../../airflow_agari_provider/views/frontend/series.js";
import { smallPayload } from "./small_payload.js";

const NO_WAITS = { idle: false, queued: false, deferred: false };
const stackOf = (task, last, waits = {}) => {
  const payload = smallPayload();
  return layers(payload, shownTries(payload, task, last), { ...NO_WAITS, ...waits });
};

test("each try of a task is a layer of its own, those that failed on top, and what failed for good stands out", () => {
  assert.deepEqual(stackOf(1, false), [
    { key: "success", values: [20, null, null] },
    { key: "failed_for_good", values: [null, 10, null] },
    { key: "failed_first", values: [30, null, null] },
    { key: "failed_second", values: [40, null, null] },
  ]);
});

test("all tasks are summed by outcome", () => {
  assert.deepEqual(stackOf(-1, false).find(({ key }) => key === "success").values, [80, 50, null]);
});

test("the classic view has the last try only", () => {
  assert.deepEqual(stackOf(1, true), [
    { key: "success", values: [20, null, null] },
    { key: "failed_for_good", values: [null, 10, null] },
  ]);
});

test("a newest try that failed may still be retried while its run goes on", () => {
  const payload = smallPayload();
  payload.runs.state[1] = "running";
  assert.deepEqual(
    [1, 5].map((index) => layerOf(payload, index)),
    ["failed_first", "failed_first"],
  );
});

test("a cell of the map tells what could not start, as a task before it failed", () => {
  const payload = { ...smallPayload(), blocked: { run: [2], task: [1], instances: [1] } };
  assert.deepEqual([...triesMap(payload).blocked], [0, 0, 0, 0, 0, 1]);
});

test("running, lost, idle, queued and deferred time of a task add up to its wall time", () => {
  const stack = stackOf(1, false, { idle: true, queued: true, deferred: true });
  assert.deepEqual(
    stack.map(({ key }) => key),
    ["success", "failed_for_good", "failed_first", "failed_second", "wait_deferred", "wait_queued", "wait_idle"],
  );
  assert.deepEqual(totals(stack, 3), [782, 11, null]); // 20 + 70 ran, 80 deferred, 12 queued, 600 idle
});

test("a run that has not ended does not move the median", () => {
  const { runs } = smallPayload();
  assert.deepEqual(rollingMedian(runs, [10, 30, 1000]), [10, 20, 20]);
});

test("a run of which nobody knows how long it took does not move the median", () => {
  const payload = smallPayload();
  payload.tries.counted[4] = 1;
  payload.runs.state[2] = "success";
  const unusual = unusualRuns(payload, shownTries(payload, 0, false));
  assert.deepEqual([...unusual], [1, 2]);
  assert.deepEqual(rollingMedian(payload.runs, [10, 1000, 1000], 25, unusual), [10, 10, 10]);
});

test("a skipped task that never ran has no bar, and one that ran has a bar like others", () => {
  const payload = smallPayload();
  Object.assign(payload.tries, { outcome: [7, 7, 7, 7, 7, 7, 7], counted: [0, 2, 0, 0, 0, 0, 0] });
  assert.deepEqual(layers(payload, shownTries(payload, -1, false), NO_WAITS), [
    { key: "skipped", values: [30, null, null] },
  ]);
});

test("a backfill does not move the median, and a run without a try leaves it alone", () => {
  const runs = { run_type: ["scheduled", "backfill", "scheduled", "scheduled"], state: Array(4).fill("success") };
  assert.deepEqual(rollingMedian(runs, [10, 500, null, 20]), [10, 10, 10, 15]);
});

test("the median forgets what is longer ago than its width", () => {
  const runs = { run_type: Array(4).fill("scheduled"), state: Array(4).fill("success") };
  assert.deepEqual(rollingMedian(runs, [100, 1, 2, 3], 3), [100, 50.5, 2, 2]);
});

test("a cell of the map tells the number of tries, what runs, and what failed in the end", () => {
  const map = triesMap(smallPayload());
  assert.deepEqual([...map.level], [CELL.once, CELL.once, CELL.running, CELL.thrice, CELL.once, CELL.none]);
  assert.deepEqual([...map.count], [1, 1, 1, 3, 1, 0]);
  assert.deepEqual([...map.failed], [0, 0, 0, 0, 1, 0]);
});

test("a cell counts the tries of all indexes of a mapped task, too", () => {
  const payload = smallPayload();
  payload.tries.instances[0] = 6000;
  const map = triesMap(payload);
  assert.deepEqual([map.count[0], map.started[0]], [1, 6000]);
});

test("the outcomes of a mapped task's one try are one try", () => {
  const payload = smallPayload();
  for (const [column, values] of Object.entries(payload.tries)) values.push(column === "outcome" ? 0 : values[4]);
  assert.equal(triesMap(payload).count[1], 1);
});

/** Runs in which task 1, which is to be done 600 seconds after 950, 4550 and 8150, is late. */
const late = (change) => {
  const payload = smallPayload();
  change(payload);
  return lateRuns(payload, 1);
};
const LATE = [
  ["it was done after its SLA, or failed and was never done", () => {}, [0, 1]],
  [
    "it is not over yet",
    (payload) => {
      payload.now = 5150;
    },
    [0],
  ],
  [
    "it waits past it",
    (payload) => {
      payload.now = 8751;
    },
    [0, 1, 2],
  ],
  [
    "it runs past it",
    (payload) => {
      payload.tries.task[6] = 1;
      payload.now = 8751;
    },
    [0, 1, 2],
  ],
  [
    "a success in time was cleared",
    (payload) => {
      payload.tries.outcome[1] = 3;
    },
    [1],
  ],
  [
    "it was skipped",
    (payload) => {
      payload.tries.outcome[5] = 7;
    },
    [0],
  ],
  [
    "it counts from when the run was queued",
    (payload) => {
      payload.runs.queued_at = [1250, 4550, 8150];
    },
    [1],
  ],
  [
    "a run that ended well had nothing of it",
    (payload) => {
      payload.tries.run[5] = 0;
      payload.runs.state[1] = "success";
    },
    [0],
  ],
  [
    "it failed before it could start",
    (payload) => {
      payload.tries.task[5] = 0;
    },
    [0, 1],
  ],
  [
    "the run has not started",
    (payload) => {
      payload.runs.start[1] = null;
    },
    [0],
  ],
  [
    "it was not in the DAG yet",
    (payload) => {
      [1, 2, 3].forEach((at) => {
        payload.tries.task[at] = 0;
      });
    },
    [1],
  ],
  [
    "one of two mapped instances was done in time",
    (payload) => {
      payload.tries.outcome[1] = 4;
      payload.tries.instances[1] = 2;
      payload.tries.instances[2] = 2;
    },
    [1],
  ],
];
for (const [name, change, runs] of LATE)
  test(`which runs are late if ${name}`, () => assert.deepEqual(late(change), runs));

test("a task without an SLA, or all of them, are never late", () => {
  assert.deepEqual(lateRuns(smallPayload(), 0), []);
  assert.deepEqual(lateRuns(smallPayload(), -1), []);
});

test("zooming by steps stays around a run, within the ends", () => {
  assert.deepEqual(rangeScaled([0, 99], 0.5, 79, 100), [50, 99]);
  assert.deepEqual(rangeScaled([50, 99], 0.5, 79, 100), [67, 91]);
  assert.deepEqual(rangeScaled([67, 91], 2, 79, 100), [50, 99]);
  assert.deepEqual(rangeScaled([3, 4], 0.5, 3, 100), [2, 3]);
  assert.deepEqual(rangeScaled([0, 0], 0.5, 0, 1), [0, 0]);
});

test("a zoomed part is found again by its moments, and the whole is shown where it is gone", () => {
  const { runs } = smallPayload();
  assert.deepEqual(rangeOf(runs, 4500, 8100), [1, 2]);
  assert.deepEqual(rangeOf(runs, 1000, null), [1, 2]);
  assert.deepEqual(rangeOf(runs, 9000, 9900), [0, 2]);
  assert.deepEqual(rangeOf(runs, null, null), [0, 2]);
});

test("tasks that changed at the same run share a line and its label", () => {
  const names = ["load", "score", "summarize_the_messages_of_a_day"];
  const shifts = [
    { task: 0, run: 7 },
    { task: 1, run: 7 },
    { task: 1, run: 9 },
    { task: 1, run: 9 },
    { task: 2, run: 12 },
  ];
  assert.deepEqual(shiftLines(shifts, names), [
    { run: 7, label: "2 tasks" },
    { run: 9, label: "score" },
    { run: 12, label: "summarize_the_messages_of_a…" },
  ]);
  assert.deepEqual(shiftLines(shifts.slice(1, 3), null), [
    { run: 7, label: "shift" },
    { run: 9, label: "shift" },
  ]);
});

test("around a shift are fifty runs on either side, as far as there are any", () => {
  assert.deepEqual(rangeAround(63, 100), [13, 99]);
  assert.deepEqual(rangeAround(20, 1000), [0, 70]);
});
