import assert from "node:assert/strict";
import { test } from "node:test";
import { groupOf, hasGroups, highest, taskLayers } from "../../../airflow_agari_provider/views/frontend/by_task.js";
import { shownTries } from "../../../airflow_agari_provider/views/frontend/series.js";
import { smallPayload } from "./small_payload.js";

function layersOf(ids, folded = false) {
  const payload = smallPayload();
  payload.tasks.task_id = ids;
  return taskLayers(payload, shownTries(payload, -1, false), folded);
}

test("each task is a layer of the time of all its tries, in the order in which they start", () => {
  assert.deepEqual(layersOf(["extract", "load"]), [
    { key: "task:extract", name: "extract", tasks: [0], values: [60, 50, 15] },
    { key: "task:load", name: "load", tasks: [1], values: [90, 10, null] },
  ]);
});

test("the tasks of a group are one layer when groups are folded, also those of groups inside of it", () => {
  assert.deepEqual(layersOf(["prepare.extract", "prepare.deep.load"], true), [
    { key: "group:prepare", name: "prepare", tasks: [0, 1], values: [150, 60, 15] },
  ]);
  assert.deepEqual(
    layersOf(["prepare.extract", "prepare"], true).map(({ key }) => key),
    ["group:prepare", "task:prepare"],
  );
});

test("a task whose id begins with a dot is in no group", () => {
  assert.deepEqual([".load", "load", "a.b.load"].map(groupOf), [null, null, "a.b"]);
  assert.deepEqual(
    [["load"], ["a.load"]].map((ids) => hasGroups({ tasks: { task_id: ids } })),
    [false, true],
  );
});

test("with many tasks, those that took least are summed, and nothing is lost", () => {
  const tasks = Array.from({ length: 40 }, (_, task) => task);
  const payload = {
    runs: { run_id: ["one", "two"] },
    tasks: { task_id: tasks.map(String) },
    tries: { run: tasks.map(() => 1), task: tasks, run_seconds: tasks, counted: tasks.map(() => 2) },
  };
  const layers = taskLayers(payload, tasks, false);
  assert.deepEqual(
    layers.map(({ name }) => name),
    ["29", "30", "31", "32", "33", "34", "35", "36", "37", "38", "39", "29 others"],
  );
  assert.deepEqual(layers.at(-1).values, [null, 406]);
  assert.equal(
    layers.reduce((sum, { values }) => sum + values[1], 0),
    780,
  );
});

test("a skipped task that never ran has no layer, and the axis of lines reaches the highest line", () => {
  const payload = smallPayload();
  payload.tries.counted[6] = 0;
  const layers = taskLayers(payload, shownTries(payload, -1, false), false);
  assert.deepEqual(highest(layers, 3), [90, 50, null]);
});
