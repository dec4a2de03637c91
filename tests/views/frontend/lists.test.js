import assert from "node:assert/strict";
import { test } from "node:test";
import { activeRows, activeText } from "../../../airflow_agari_provider/views/frontend/active_part.js";
import { indexRows, indexText } from "../../../airflow_agari_provider/views/frontend/index_panel.js";
import { choicesOf, hasProblem, passes } from "../../../airflow_agari_provider/views/frontend/overview_rows.js";

const FREE = { tag: null, owner: null, team: null, paused: "all", problems: false };
const DAG = {
  tags: ["daily"],
  owners: ["ada"],
  teams: ["data"],
  paused: false,
  last_state: "success",
  window: { failed: 0 },
  failures: 0,
};

test("each filter of the page of all DAGs chooses by one thing", () => {
  assert.equal(passes(DAG, FREE), true);
  for (const filter of [{ tag: "daily" }, { owner: "ada" }, { team: "data" }, { paused: "active" }])
    assert.equal(passes(DAG, { ...FREE, ...filter }), true);
  for (const filter of [{ tag: "hourly" }, { owner: "bob" }, { team: "web" }, { paused: "paused" }, { problems: true }])
    assert.equal(passes(DAG, { ...FREE, ...filter }), false);
});

test("a failed run, a failed task and a failed newest run are each a problem", () => {
  for (const problem of [{ last_state: "failed" }, { window: { failed: 1 } }, { failures: 1 }])
    assert.equal(hasProblem({ ...DAG, ...problem }), true);
  assert.equal(hasProblem(DAG), false);
});

test("a filter offers each value once, in order", () => {
  assert.deepEqual(choicesOf([{ tags: ["b", "a"] }, { tags: ["a"] }, { tags: [] }], "tags"), ["a", "b"]);
});

test("what is under way says for how long, how many are late, and where something waits", () => {
  const answer = {
    now: 1000,
    total: 2,
    more: false,
    tasks: { dag_id: ["a", "b"], since: [400, null], longer_than_usual: [true, null] },
    pools: { pool: ["big", "small"], slots: [128, -1], slots_taken: [3, 1], queued: [2, 0], scheduled: [1, 0] },
  };
  assert.deepEqual(
    activeRows(answer).map(({ seconds }) => seconds),
    [600, null],
  );
  assert.equal(
    activeText(answer),
    "2 task instances are under way, 1 for longer than 95 of 100 usually take; pool big: 3 waiting, 3 of 128 slots taken.",
  );
  assert.equal(activeText({ ...answer, total: 0 }), "Nothing is under way.");
});

test("an index is called by its number and, if it has one, its label", () => {
  const indexes = { map_index: [3, 4], label: ["acme", null], tries: [1, 2] };
  assert.deepEqual(indexRows({ indexes }), [
    { map_index: 3, label: "acme", tries: 1, name: "[3] acme" },
    { map_index: 4, label: null, tries: 2, name: "[4]" },
  ]);
});

test("the indexes are summed up in a sentence", () => {
  const found = { total: 300, failed: 0, retried: 5, median_seconds: 3, p95_seconds: 9 };
  assert.equal(
    indexText(found),
    "300 indexes: half took up to 3.0 s, 95 of 100 up to 9.0 s; none failed; 5 were tried more than once.",
  );
  assert.equal(indexText({ ...found, total: 0 }), "No index of this task has started in this run.");
});
