import assert from "node:assert/strict";
import { test } from "node:test";
import { CELL, lateRuns, layers, rangeAround, rangeOf, rollingMedian, shiftLines, shownTries, totals, triesMap } from "../../../airflow_agari_provider/views/frontend/series.js";
import { smallPayload } from "./small_payload.js";

const NO_WAITS = { idle: false, queued: false, deferred: false };
const stackOf = (task, last, waits = {}) => {
  const payload = smallPayload();
  return layers(payload, shownTries(payload, task, last), { ...NO_WAITS, ...waits });
};

test("each try of a task is a layer of its own, those that failed on top", () => {
  assert.deepEqual(stackOf(1, false), [
    { key: "success", values: [20, null, null] },
    { key: "failed_first", values: [30, 10, null] },
    { key: "failed_second", values: [40, null, null] },
  ]);
});

test("all tasks are summed by outcome", () => {
  assert.deepEqual(stackOf(-1, false).find(({ key }) => key === "success").values, [80, 50, null]);
});

test("the classic view has the last try only", () => {
  assert.deepEqual(stackOf(1, true), [
    { key: "success", values: [20, null, null] },
    { key: "failed_first", values: [null, 10, null] },
  ]);
});

test("running, lost, idle, queued and deferred time of a task add up to its wall time", () => {
  const stack = stackOf(1, false, { idle: true, queued: true, deferred: true });
  assert.deepEqual(stack.map(({ key }) => key), ["success", "failed_first", "failed_second", "wait_deferred", "wait_queued", "wait_idle"]);
  assert.deepEqual(totals(stack, 3), [782, 11, null]); // 20 + 70 ran, 80 deferred, 12 queued, 600 idle
});

test("a run that has not ended does not move the median", () => {
  const { runs } = smallPayload();
  assert.deepEqual(rollingMedian(runs, [10, 30, 1000]), [10, 20, 20]);
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

test("the outcomes of a mapped task's one try are one try", () => {
  const payload = smallPayload();
  for (const [column, values] of Object.entries(payload.tries)) values.push(column === "outcome" ? 0 : values[4]);
  assert.equal(triesMap(payload).count[1], 1);
});

test("a run is late if its task ended after its SLA, counted from the run's start", () => {
  assert.deepEqual(lateRuns(smallPayload(), 1), [0]); // 1850 - 950 is 900, over 600
  assert.deepEqual(lateRuns(smallPayload(), 0), []);
  assert.deepEqual(lateRuns(smallPayload(), -1), []);
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
  const shifts = [{ task: 0, run: 7 }, { task: 1, run: 7 }, { task: 1, run: 9 }, { task: 1, run: 9 }, { task: 2, run: 12 }];
  assert.deepEqual(shiftLines(shifts, names), [
    { run: 7, label: "2 tasks" }, { run: 9, label: "score" }, { run: 12, label: "summarize_the_messages_of_a…" },
  ]);
  assert.deepEqual(shiftLines(shifts.slice(1, 3), null), [{ run: 7, label: "shift" }, { run: 9, label: "shift" }]);
});

test("around a shift are fifty runs on either side, as far as there are any", () => {
  assert.deepEqual(rangeAround(63, 100), [13, 99]);
  assert.deepEqual(rangeAround(20, 1000), [0, 70]);
});
