import assert from "node:assert/strict";
import { test } from "node:test";
import { logAddress } from "../../../airflow_agari_provider/views/frontend/airflow.js";
import { tableRows } from "../../../airflow_agari_provider/views/frontend/csv.js";
import { overviewRows } from "../../../airflow_agari_provider/views/frontend/overview_rows.js";
import { asText, sorted } from "../../../airflow_agari_provider/views/frontend/table.js";

const COLUMNS = [
  { key: "name", title: "task", value: (row) => row.name },
  { key: "lost", title: "lost", value: (row) => row.lost, text: (row) => `${row.lost} s` },
];
const ROWS = [
  { name: "b", lost: 5 },
  { name: "a", lost: null },
  { name: "c", lost: 10 },
];
const names = (key, descending) =>
  sorted(ROWS, COLUMNS, key, descending)
    .map(({ name }) => name)
    .join("");

test("rows without a value come last, whichever way a table is sorted", () => {
  assert.equal(names("lost", true), "cba");
  assert.equal(names("lost", false), "bca");
  assert.equal(names("name", false), "abc");
  assert.equal(names("no such column", false), "abc");
});

test("a table is copied as it reads, a tab between its cells", () => {
  assert.equal(asText(ROWS.slice(0, 1), COLUMNS), "task\tlost\nb\t5 s");
});

test("a name that is copied is no formula, and a change stays the number it is", () => {
  const columns = [
    { ...COLUMNS[0], name: true },
    { key: "trend", title: "trend", value: () => 5, text: () => "+5 %" },
  ];
  assert.equal(asText([{ name: "-2+3" }], columns), "task\ttrend\n'-2+3\t+5 %");
});

test("a table in a file has its plain numbers, and of several in a cell each", () => {
  const columns = [
    ...COLUMNS,
    {
      key: "runs",
      csv: [
        ["ok", (row) => row.lost],
        ["failed", () => 1],
      ],
    },
  ];
  assert.deepEqual(tableRows(ROWS.slice(0, 2), columns), [
    ["name", "lost", "ok", "failed"],
    ["b", 5, 5, 1],
    ["a", null, null, 1],
  ]);
});

test("what the slow answer tells is unknown until it is there", () => {
  const counts = { success: [7], failed: [1], running: [0], queued: [0] };
  const overview = {
    dags: {
      dag_id: ["d"],
      paused: [false],
      last_run: [5],
      ever: counts,
      window: counts,
      failed_tries: [2],
      lost_seconds: [3],
      failures: [1],
      active: [0],
    },
  };
  assert.equal(overviewRows(overview, null)[0].retry_rate, null);
  const slow = { dags: { dag_id: ["d"], started: [40], retried: [2], total_seconds: [99] } };
  const [row] = overviewRows(overview, slow);
  assert.equal(row.retry_rate, 0.05);
  assert.equal(row.total_seconds, 99);
});

const TRY = { dagId: "a b", runId: "manual__2026-11-20T08:00:00+00:00", taskId: "load", tryNumber: 2, mapIndex: -1 };
const AIRFLOW_3 = {
  root: "/af/",
  log_url: "dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}?try_number={try_number}",
  mapped_log_url: "/mapped/{map_index}",
};
const AIRFLOW_2 = {
  root: "/",
  log_url: "dags/{dag_id}/grid?dag_run_id={run_id}&task_id={task_id}&tab=logs{mapped}",
  mapped_log_url: "&map_index={map_index}",
};

test("the log of a try has an address on either Airflow, of one index of a mapped task too", () => {
  assert.equal(
    logAddress(AIRFLOW_3, TRY),
    "/af/dags/a%20b/runs/manual__2026-11-20T08%3A00%3A00%2B00%3A00/tasks/load?try_number=2",
  );
  assert.equal(
    logAddress(AIRFLOW_3, { ...TRY, mapIndex: 7 }),
    "/af/dags/a%20b/runs/manual__2026-11-20T08%3A00%3A00%2B00%3A00/tasks/load/mapped/7?try_number=2",
  );
  assert.equal(
    logAddress(AIRFLOW_2, { ...TRY, mapIndex: 0 }),
    "/dags/a%20b/grid?dag_run_id=manual__2026-11-20T08%3A00%3A00%2B00%3A00&task_id=load&tab=logs&map_index=0",
  );
});
