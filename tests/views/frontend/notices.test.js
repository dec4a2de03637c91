import assert from "node:assert/strict";
import { test } from "node:test";
import { emptyNotice, errorNotice, purgeNotice } from "../../../airflow_agari_provider/views/frontend/notices.js";
import { DEFAULTS } from "../../../airflow_agari_provider/views/frontend/permalink.js";
import { smallPayload } from "./small_payload.js";

const NONE = Object.fromEntries(Object.keys(smallPayload().tries).map((column) => [column, []]));
const noRuns = { ...smallPayload(), window: { ...smallPayload().window, shown: 0, total: 0 }, tries: NONE };
const tooOld = { ...noRuns, window: { ...noRuns.window, total: 20, text: "none of 20 runs is this old" } };
const noTries = { ...smallPayload(), tries: NONE };
const purged = { ...noTries, window: { ...noTries.window, purged_before: 9000 } };

const CASES = [
  ["there is something to draw", smallPayload(), {}, null],
  ["a DAG has never run", noRuns, {}, "open DAG"],
  ["the filters hide every run", noRuns, { runStates: ["failed"] }, "reset"],
  ["no run is that old", tooOld, { before: "5" }, "newest"],
  ["the task is not in these runs", smallPayload(), { task: "gone" }, "all tasks"],
  ["nothing has started", noTries, {}, "open DAG"],
  ["nothing has started in the runs that the filters leave", noTries, { runStates: ["queued"] }, "reset"],
  ["the tries were purged", purged, {}, "newest"],
];
for (const [name, payload, change, action] of CASES)
  test(`what to do if ${name}`, () => assert.equal(emptyNotice(payload, { ...DEFAULTS, ...change })?.action ?? null, action));

test("a window that reaches back before a purge says so, any other says nothing", () => {
  const reaching = { ...smallPayload(), window: { ...smallPayload().window, purged_before: 5000 } };
  assert.match(purgeNotice(reaching), /^Tries before 1970-01-01 01:23 UTC were removed/);
  assert.equal(purgeNotice(smallPayload()), null);
});

const ERRORS = [[0, "again"], [401, "log in"], [403, "all DAGs"], [404, "all DAGs"], [422, "reset"], [503, "fewer"], [500, "again"]];
for (const [status, action] of ERRORS)
  test(`an answer ${status} offers: ${action}`, () => assert.equal(errorNotice(status, "").action, action));

test("a page without runs says on which side they are", () => {
  assert.equal(emptyNotice(tooOld, { ...DEFAULTS, before: "5" }).text, "None of 20 runs is this old.");
});

test("the server's own sentence goes before ours", () => {
  assert.equal(errorNotice(403, "Ask Ada.").text, "Ask Ada.");
});
