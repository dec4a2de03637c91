import assert from "node:assert/strict";
import { test } from "node:test";
import { calendarDays, dayAfter, kindOf, startOfDay } from "../../../airflow_agari_provider/views/frontend/calendar.js";
import { setLocalZone } from "../../../airflow_agari_provider/views/frontend/units.js";

const HOUR = 3600;

test("a day begins at midnight of the reader's time zone, also when the clocks change", () => {
  assert.equal(startOfDay("2026-11-20", true), Date.UTC(2026, 10, 20) / 1000);
  setLocalZone("Europe/Berlin");
  const starts = ["2026-03-29", "2026-03-30", "2026-10-25", "2026-10-26"].map((date) => startOfDay(date, false));
  setLocalZone(null);
  assert.equal(starts[0], Date.UTC(2026, 2, 28, 23) / 1000);
  assert.equal(starts[1] - starts[0], 23 * HOUR);
  assert.equal(starts[3] - starts[2], 25 * HOUR);
});

test("the day after the last of a month or a year is the first of the next", () => {
  assert.deepEqual([dayAfter("2026-12-31"), dayAfter("2028-03-01", -1)], ["2027-01-01", "2028-02-29"]);
});

test("the calendar begins on a Monday, and has the days without runs too", () => {
  assert.deepEqual(calendarDays({ date: ["2026-11-18", "2026-11-20"] }), [
    { date: "2026-11-16", at: null },
    { date: "2026-11-17", at: null },
    { date: "2026-11-18", at: 0 },
    { date: "2026-11-19", at: null },
    { date: "2026-11-20", at: 1 },
  ]);
  assert.deepEqual(calendarDays({ date: [] }), []);
});

test("a failed run counts more than failed tries, and these more than successes", () => {
  const days = {
    runs: { success: [5, 5, 5, 0], failed: [1, 0, 0, 0] },
    failed_tries: [9, 2, 0, 0],
  };
  assert.deepEqual(
    [0, 1, 2, 3, null].map((at) => kindOf(days, at)),
    ["failed", "retried", "success", "running", "none"],
  );
});
