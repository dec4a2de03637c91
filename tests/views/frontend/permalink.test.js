import assert from "node:assert/strict";
import { test } from "node:test";
import {
  DEFAULTS,
  earlierAddress,
  filtered,
  format,
  parse,
  triesAddress,
} from "../../../airflow_agari_provider/views/frontend/permalink.js";

const EVERYTHING = {
  dag: "a/b & c",
  task: "load.x",
  runs: 365,
  before: "1786492800.5-42",
  after: null,
  runTypes: ["manual", "backfill"],
  runStates: ["failed"],
  mapped: "longest",
  by: "task",
  folded: true,
  idle: true,
  queued: true,
  deferred: true,
  last: true,
  log: true,
  whole: true,
  since: 1_795_100_000,
  until: 1_795_186_400,
  from: 100,
  to: 200,
  indexes: "load.x",
  split: 150,
  run: "manual__2026-11-20T08:00:00+00:00",
  local: true,
  zone: "airflow",
  sort: "p95_seconds",
  descending: false,
  search: "é+",
  days: 7,
  tag: "é&",
  owner: "ada",
  team: "data",
  paused: "active",
  problems: true,
};

test("every control survives the way through an address", () => {
  assert.deepEqual(Object.keys(EVERYTHING).sort(), Object.keys(DEFAULTS).sort());
  assert.deepEqual(parse(`?${format(EVERYTHING)}`), EVERYTHING);
});

test("an address without controls is the page as it begins, and stays short", () => {
  assert.deepEqual(parse(""), { ...DEFAULTS });
  assert.equal(format({ ...DEFAULTS, dag: "scoring" }), "dag_id=scoring");
});

test("what nobody can choose is as if it were not there", () => {
  assert.deepEqual(
    parse(
      "runs=13&days=abc&before=soon&mapped=best&paused=maybe&by=colour&split=soon&since=-&until=NaN&run_state=gone&idle=yes",
    ),
    { ...DEFAULTS },
  );
});

test("UTC stays chosen against the time zone of Airflow", () => {
  assert.equal(format(parse("dag_id=a&time=utc")), "dag_id=a&time=utc");
  assert.equal(parse("time=airflow").local, true);
});

test("a page begins before a run or after one, never both", () => {
  assert.equal(format(parse("dag_id=a&after=1786492800.123-42")), "dag_id=a&after=1786492800.123-42");
  assert.equal(format(parse("dag_id=a&before=5&after=3")), "dag_id=a&before=5");
  assert.equal(triesAddress(parse("dag_id=a&after=5-1")), "api/dags/a/tries?runs=100&after=5-1");
  for (const wrong of ["5-", "-1", "5-r1", "1e5", "5.5.5"]) assert.equal(parse(`after=${wrong}`).after, null);
});

test("the server is asked for what it filters, with names encoded", () => {
  assert.equal(
    triesAddress(EVERYTHING, "load.x"),
    "api/dags/a%2Fb%20%26%20c/tries?runs=365&before=1786492800.5-42&since=1795100000&until=1795186400&task_id=load.x&run_type=manual&run_type=backfill&run_state=failed&mapped=longest",
  );
  assert.equal(triesAddress({ ...DEFAULTS, dag: "scoring" }), "api/dags/scoring/tries?runs=100");
});

test("filters are what hides runs", () => {
  assert.equal(filtered({ ...DEFAULTS, idle: true, task: "load" }), false);
  assert.equal(filtered({ ...DEFAULTS, runTypes: ["manual"] }), true);
  assert.equal(filtered({ ...DEFAULTS, before: "5" }), true);
  assert.equal(filtered({ ...DEFAULTS, after: "5-1" }), true);
});

const OF_365 = { shown: 365, total: 730, older: true, before: "5-1" };
const COMPARED = [
  ["many runs before many", { runs: 365 }, OF_365, "api/dags/a/tries?runs=365&before=5-1&compare=false"],
  [
    "of one task",
    { runs: 365, task: "load" },
    OF_365,
    "api/dags/a/tries?runs=365&before=5-1&task_id=load&compare=false",
  ],
  [
    "an older page",
    { runs: 365, before: "9-9" },
    { ...OF_365, total: 800 },
    "api/dags/a/tries?runs=365&before=5-1&compare=false",
  ],
  ["the server compares few by itself", { runs: 100 }, { ...OF_365, shown: 100 }, null],
  ["not as many before them", { runs: 365 }, { ...OF_365, total: 729 }, null],
  ["not as many as were asked for", { runs: 365 }, { ...OF_365, shown: 20, total: 20 }, null],
];
for (const [name, state, window, address] of COMPARED)
  test(`what many runs are compared with: ${name}`, () =>
    assert.equal(earlierAddress({ ...DEFAULTS, dag: "a", ...state }, window), address));

test("a span of dates may be open at either end, and one without a moment in it is none", () => {
  for (const open of ["since=1795100000", "until=1795100000"]) assert.equal(format(parse(open)), open);
  for (const none of ["since=-5", "until=0", "since=9&until=9", "since=9&until=8"])
    assert.equal(format(parse(none)), "");
});
