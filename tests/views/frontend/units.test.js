import assert from "node:assert/strict";
import { test } from "node:test";
import {
  axisLabel,
  axisStep,
  change,
  changeBetween,
  duration,
  epochOf,
  logLines,
  logRange,
  moment,
  momentWithOffset,
  percent,
  setLocalZone,
  zone,
} from "../../../airflow_agari_provider/views/frontend/units.js";

const DURATIONS = [
  [null, "–"],
  [0, "0 s"],
  [0.42, "0.4 s"],
  [9.96, "10 s"],
  [95, "95 s"],
  [246, "4.1 min"],
  [7199, "120.0 min"],
  [7200, "2.0 h"],
  [4_500_000, "1,250.0 h"],
];
for (const [seconds, text] of DURATIONS)
  test(`${seconds} seconds read ${text}`, () => assert.equal(duration(seconds), text));

const STEPS = [
  [1, 0.2],
  [60, 15],
  [900, 300],
  [1000, 300],
  [3600, 900],
  [40_000, 10_800],
  [10_000_000, 50 * 86_400],
];
for (const [most, step] of STEPS)
  test(`an axis up to ${most} seconds has a line every ${step}`, () => assert.equal(axisStep(most), step));

test("labels of an axis are round, in the unit of its step", () => {
  assert.deepEqual(
    [0, 300, 600].map((seconds) => axisLabel(seconds, 300)),
    ["0", "5 min", "10 min"],
  );
  assert.deepEqual(
    [15, 75].map((seconds) => axisLabel(seconds, 15)),
    ["15 s", "75 s"],
  );
  assert.equal(axisLabel(7200, 3600), "2 h");
  assert.equal(axisLabel(172_800, 86_400), "2 d");
});

test("a logarithmic axis ends on round times around its values", () => {
  const range = logRange(70, 3000);
  assert.deepEqual(range, { min: 30, max: 3600 });
  assert.deepEqual(logLines(range), [30, 60, 180, 600, 1800, 3600]);
});

test("shares and changes are signed and never pretend to be exact", () => {
  assert.equal(percent(0.168), "16.8 %");
  assert.equal(percent(null), "–");
  assert.deepEqual([12.4, -3.6, 0.3, null].map(change), ["+12 %", "−4 %", "±0 %", "–"]);
});

test("there is no change against nothing", () => {
  assert.equal(changeBetween(50, 60), 20);
  assert.equal(changeBetween(0, 60), null);
  assert.equal(changeBetween(null, 60), null);
  assert.equal(changeBetween(50, null), null);
});

test("a moment is told to the minute, in UTC or as the browser's clock has it", () => {
  assert.equal(moment(1_795_168_000, true), "2026-11-20 09:46");
  assert.equal(moment(1_795_168_000, false), "2026-11-20 15:16"); // TZ is set to Asia/Kolkata
  assert.equal(moment(null, true), "–");
});

test("a time as it is written is the moment that is shown as it", () => {
  assert.equal(epochOf("2026-11-20T09:46", true), 1_795_167_960);
  assert.equal(epochOf("2026-11-20 15:16", false), 1_795_167_960);
  setLocalZone("Europe/Berlin");
  for (const at of [1_774_745_940, 1_774_746_000, 1_792_893_600, 1_780_000_020])
    assert.equal(epochOf(moment(at, false), false), at); // around the change of clocks in March and October
  setLocalZone(null);
  assert.ok(Number.isNaN(epochOf("", true)));
});

test("a moment on the browser's clock says how far that is from UTC", () => {
  assert.equal(momentWithOffset(1_795_168_000, true), "2026-11-20 09:46");
  assert.equal(momentWithOffset(1_795_168_000, false), "2026-11-20 15:16 (UTC+05:30)");
});

test("a moment in the time zone chosen in Airflow says how far that is from UTC, in summer and in winter", () => {
  setLocalZone("Europe/Berlin");
  assert.equal(moment(1795168000, false), "2026-11-20 10:46");
  assert.equal(momentWithOffset(1780000000, false), "2026-05-28 22:26 (UTC+02:00)");
  assert.equal(zone(false), "Europe/Berlin");
  assert.equal(moment(1795168000, true), "2026-11-20 09:46");
  setLocalZone(null);
  assert.equal(moment(1795168000, false), "2026-11-20 15:16");
});
