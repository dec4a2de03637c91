import assert from "node:assert/strict";
import { test } from "node:test";
import { waiting, wallTime } from "../../../airflow_agari_provider/views/frontend/figures.js";

const FIGURES = { total_seconds: 100, lost_seconds: 30, idle_seconds: 60, queued_seconds: 5, deferred_seconds: 20 };

test("the parts of the wall time add up", () => {
  assert.equal(
    wallTime(FIGURES),
    "Wall time: 70 s ran + 30 s lost + 60 s between tries + 5.0 s queued + 20 s deferred = 3.1 min",
  );
});

test("waiting that is not known is named, and is no 0", () => {
  const figures = { ...FIGURES, queued_seconds: null, deferred_seconds: null };
  assert.equal(
    wallTime(figures),
    "Wall time: 70 s ran + 30 s lost + 60 s between tries = 2.7 min; not known: queued, deferred",
  );
  assert.equal(waiting(figures), 60);
  assert.equal(waiting({ ...figures, idle_seconds: null }), null);
});
