import assert from "node:assert/strict";
import test from "node:test";
import {
  alertsAddress,
  DEFAULTS,
  format,
  needsAll,
  parse,
  windowChange,
  windows,
} from "../../../airflow_agari_provider/views/frontend/alerts_link.js";
import { emptyAlerts } from "../../../airflow_agari_provider/views/frontend/alerts_parts.js";
import {
  missRows,
  outcomeText,
  slackAddress,
  toldText,
} from "../../../airflow_agari_provider/views/frontend/alerts_rows.js";

test("the address holds every control, and nothing that is as usual", () => {
  assert.equal(format(DEFAULTS), "");
  const state = {
    dag: "a/b &",
    owner: "data",
    service: "Slack",
    show: "refused",
    days: 7,
    month: "2026-11",
    local: true,
    zone: "airflow",
    search: "load",
    sort: "due",
    descending: false,
  };
  assert.deepEqual(parse(format(state)), state);
});

test("a filter and an order need all misses, and nothing else does", () => {
  assert.equal(needsAll({ ...DEFAULTS, dag: "a", days: 7, local: true }), false);
  assert.equal(needsAll({ ...DEFAULTS, search: "x" }), true);
  assert.equal(needsAll({ ...DEFAULTS, sort: "late" }), true);
});

test("a wrong value in the address is as if it were not there", () => {
  assert.deepEqual(parse("show=all%20of%20them&days=8&month=2026-13&time=mars"), { ...DEFAULTS });
});

test("the server is asked for a month or for days, and for one DAG", () => {
  assert.equal(alertsAddress({ ...DEFAULTS, dag: "a&b" }), "api/alerts?days=30&dag_id=a%26b");
  assert.equal(alertsAddress({ ...DEFAULTS, month: "2026-10" }), "api/alerts?month=2026-10");
  assert.equal(alertsAddress(DEFAULTS, true), "api/alerts?days=30&limit=50000");
});

test("twelve months are to choose from, also at the turn of the year", () => {
  const found = windows(Date.UTC(2026, 0, 31) / 1000).map(([value]) => value);
  assert.deepEqual(found.slice(5, 8), ["2026-01", "2025-12", "2025-11"]);
  assert.equal(found.length, 17);
  assert.deepEqual(windowChange("2025-12"), { month: "2025-12" });
  assert.deepEqual(windowChange("7"), { month: "", days: 7 });
});

const column = (value) => [value];
const answer = (changed) => ({
  now: 1000,
  misses: {
    environment: column("EP"),
    dag_id: column("scoring"),
    run_id: column("r"),
    task_id: column(null),
    sla: column(null),
    owner: column(null),
    due: column(400),
    found: column(401),
    came_in: column(null),
    late_seconds: column(null),
    outcome: column("open"),
    state: column(null),
    told: column([]),
    ...changed,
  },
});

test("an open miss is late until now, and a closed one of which nobody knows is not late by 0", () => {
  assert.equal(missRows(answer({}))[0].late, 600);
  assert.equal(missRows(answer({ outcome: column("run deleted") }))[0].late, null);
  assert.equal(missRows(answer({}))[0].name, "scoring › the run");
});

test("what has become of a miss, in words", () => {
  const text = (changed) => outcomeText(missRows(answer(changed))[0]);
  assert.equal(text({}), "open");
  assert.equal(text({ state: column("up_for_retry") }), "open: up for retry");
  const sent = { outcome: column("came in"), told: column([{ state: "sent", recovery: "", at: 1 }]) };
  assert.equal(text(sent), "came in");
  assert.equal(text({ ...sent, state: column("success") }), "came in, nobody told");
});

test("who was told, and who was not", () => {
  const told = [
    { service: "Slack", state: "sent", at: 0 },
    { service: "VictorOps", state: "refused", at: 0 },
  ];
  assert.equal(toldText(told, true), "Slack 1970-01-01 00:00, VictorOps refused");
  assert.equal(toldText([], true), "nobody");
});

test("a Slack message has an address, and nothing else has", () => {
  const reference = "C012AB3CD:1795168000.000100";
  const at = (told, workspace) => slackAddress({ service: "Slack", reference, ...told }, workspace);
  assert.equal(at({}, "https://example.slack.com/"), "https://example.slack.com/archives/C012AB3CD/p1795168000000100");
  assert.equal(at({}, ""), "https://slack.com/app_redirect?channel=C012AB3CD");
  assert.equal(at({ service: "VictorOps" }, ""), null);
  assert.equal(at({ reference: "javascript:alert(1)" }, ""), null);
  assert.equal(at({ reference: "" }, ""), null);
});

test("an empty list says whether filters, permissions or luck made it empty", () => {
  const of = (counts, note = null) => ({ note, counts: { listed: 0, hidden: 0, ...counts } });
  assert.equal(emptyAlerts(of({ listed: 3 }), 3, DEFAULTS), null);
  assert.equal(emptyAlerts(of({ listed: 3 }), 0, { ...DEFAULTS, search: "x" }).action, "reset");
  assert.match(emptyAlerts(of({ hidden: 4 }), 0, DEFAULTS).text, /that you may not read missed 4/);
  assert.equal(emptyAlerts(of({}, "No table."), 0, DEFAULTS).text, "No table.");
});
