import assert from "node:assert/strict";
import test from "node:test";
import { emptyChecks, emptyRuns, mostFrequent } from "../../../airflow_agari_provider/views/frontend/check_parts.js";
import { cellText, keyName, runOfCheck, toldText } from "../../../airflow_agari_provider/views/frontend/check_rows.js";
import {
  DEFAULTS,
  dataAddress,
  format,
  moved,
  parse,
} from "../../../airflow_agari_provider/views/frontend/discrepancies_link.js";
import { kindOf } from "../../../airflow_agari_provider/views/frontend/heat_map.js";
import { visible } from "../../../airflow_agari_provider/views/frontend/visible.js";

test("the address holds every control, and nothing that is as usual", () => {
  assert.equal(format(DEFAULTS), "");
  const state = {
    dag: "a/b &",
    task: "t[3]",
    days: 7,
    until: 1795168000,
    problems: true,
    run: "2016-02-03 01:00:00",
    key: "",
    local: true,
    zone: "airflow",
    search: "06",
    sort: "discrepant",
    descending: false,
  };
  assert.deepEqual(parse(format(state)), state);
});

test("a wrong value in the address is as if it were not there", () => {
  assert.deepEqual(parse("days=8&until=soon&problems=1&task_id=t&time=mars"), { ...DEFAULTS });
});

test("the server is asked for all checks, or for the runs of one", () => {
  assert.equal(dataAddress(DEFAULTS), "api/discrepancies?days=30");
  const one = { ...DEFAULTS, dag: "a&b", task: "t", problems: true, until: 5 };
  assert.equal(dataAddress(one), "api/discrepancies/runs?days=30&until=5&problems=true&dag_id=a%26b&task_id=t");
});

test("earlier and later move by the days that are shown, and never into the future", () => {
  assert.deepEqual(moved({ days: 1, until: null }, -1, 200_000), { until: 113_600, run: null });
  assert.deepEqual(moved({ days: 1, until: 113_600 }, 1, 200_000), { until: null, run: null });
});

test("marks that are not seen become numbers", () => {
  assert.equal(visible("a\u202eb\0c\nd\u200be"), "a\\u202eb\\u0000c\\u000ad\\u200be");
  assert.equal(visible("żółw 🐢"), "żółw 🐢");
  assert.equal(visible(null), null);
});

test("a cell tells direction, number and share", () => {
  const cell = { severity: "alarm", difference: 1204, percent: 15.06, comparison: "Discrepancy" };
  assert.equal(cellText(cell), "▼ lost 1,204 (15.1 %)");
  assert.equal(cellText({ ...cell, difference: -3, percent: null }), "▲ gained 3");
  assert.equal(cellText({ ...cell, difference: 0, comparison: "silent" }), "silent");
  assert.equal(cellText({ ...cell, difference: 0, comparison: "empty" }), "nothing counted");
  const kinds = [
    ["lost_most", cell],
    ["lost", { ...cell, percent: 9.9 }],
    ["gained_most", { ...cell, difference: -3, percent: null }],
    ["gained", { ...cell, difference: -3, percent: -1 }],
    ["warned", { ...cell, severity: "warn" }],
    ["recovered", { ...cell, severity: "recovered" }],
    ["fine", { ...cell, severity: "none", difference: 0 }],
    ["silent", { ...cell, difference: 0 }],
  ];
  for (const [kind, of] of kinds) assert.equal(kindOf(of), kind);
});

test("the run of a mapped check is that of its index, in both Airflows", () => {
  const three = {
    root: "/",
    mapped_log_url: "/mapped/{map_index}",
    task_url: "dags/{dag_id}/runs/{run_id}/tasks/{task_id}",
  };
  assert.equal(runOfCheck(three, { dag: "d", task: "t[3]" }, "r"), "/dags/d/runs/r/tasks/t/mapped/3");
  assert.equal(runOfCheck(three, { dag: "d", task: "t" }, "r"), "/dags/d/runs/r/tasks/t");
  const two = { root: "/", mapped_log_url: "&map_index={map_index}", task_url: "grid?task_id={task_id}&tab=logs" };
  assert.equal(runOfCheck(two, { dag: "d", task: "t[3]" }, "r"), "/grid?task_id=t&tab=logs&map_index=3");
});

test("small texts", () => {
  assert.equal(keyName(""), "all keys together");
  assert.equal(toldText([{ channel: "*", kind: "alarm" }]), "all alarm");
  assert.equal(toldText([]), "–");
  assert.equal(mostFrequent(["DB", null, "Agg", "DB"]), "DB");
  assert.equal(mostFrequent([null]), null);
});

test("an empty page says what hides the rest", () => {
  const counts = { checks: 0, hidden: 2, runs: 0, stored: 3 };
  assert.match(emptyChecks({ note: null, counts }, 0, DEFAULTS).text, /2 of DAGs that you may not read/);
  assert.equal(emptyChecks({ note: null, counts: { ...counts, checks: 4 } }, 0, DEFAULTS).action, "reset");
  assert.equal(emptyChecks({ note: null, counts }, 1, DEFAULTS), null);
  assert.equal(emptyRuns({ counts, runs: { run_id: [] } }, DEFAULTS).action, "all");
});
