import assert from "node:assert/strict";
import { test } from "node:test";
import { cutAt, cutBars, cutText } from "../../../airflow_agari_provider/views/frontend/axis_cut.js";

const view = (totals, more = {}) => ({ totals, range: [0, totals.length - 1], log: false, whole: false, ...more });
const usual = [100, 110, null, 90, 120, 105];

test("one bar that is far longer than all others is cut, and the page says how long it is", () => {
  const totals = [...usual, 86400 * 20];
  assert.deepEqual(cutBars(view(totals)), { limit: 120, runs: [6] });
  assert.equal(cutText(view(totals)), "1 bar is cut, the longest at 480.0 h: “Whole axis” shows it whole");
});

test("bars that differ by less than three times are all whole", () => {
  assert.equal(cutAt([100, 110, 90, 120, 350]), null);
  assert.equal(cutText(view([100, 110, 90, 120, 350])), "");
});

test("if many runs are long, long is usual, and none is cut", () => {
  assert.equal(cutAt([10, 10, 10, 10, 10, 900, 900, 900]), null);
});

test("of a hundred bars five may be cut, but not six", () => {
  const bars = (long) => [...new Array(100 - long).fill(10), ...new Array(long).fill(1000)];
  assert.deepEqual(
    [5, 6].map((long) => cutAt(bars(long))),
    [10, null],
  );
});

test("among few bars none is usual", () => {
  assert.equal(cutAt([1, 1, 1, 1000]), null);
});

test("the whole axis, a logarithmic axis and a part without the long bar are not cut", () => {
  const totals = [...usual, 86400];
  for (const more of [{ whole: true }, { log: true }, { range: [0, 5] }])
    assert.deepEqual(cutBars(view(totals, more)), { limit: null, runs: [] });
});
