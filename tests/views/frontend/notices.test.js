import assert from "node:assert/strict";
import { test } from "node:test";
import {
  emptyNotice,
  errorNotice,
  oldestFailure,
  purgeNotice,
  shiftText,
  staleNotice,
} from "../../../airflow_agari_provider/views/frontend/notices.js";
import { DEFAULTS } from "../../../airflow_agari_provider/views/frontend/permalink.js";
import { smallPayload } from "./small_payload.js";

const NONE = Object.fromEntries(Object.keys(smallPayload().tries).map((column) => [column, []]));
const noRuns = { ...smallPayload(), window: { ...smallPayload().window, shown: 0, total: 0 }, tries: NONE };
const tooOld = { ...noRuns, window: { ...noRuns.window, total: 20, text: "none of 20 runs is this old" } };
const noTries = { ...smallPayload(), tries: NONE };
const purged = { ...noTries, window: { ...noTries.window, purged_before: 9000 } };

const lastRun = smallPayload().runs.run_after.at(-1);
const justPurged = { ...noTries, window: { ...noTries.window, purged_before: lastRun } };

const CASES = [
  ["there is something to draw", smallPayload(), {}, null],
  ["a DAG has never run", noRuns, {}, "open DAG"],
  ["the filters hide every run", noRuns, { runStates: ["failed"] }, "reset"],
  ["no run is that old", tooOld, { before: "5" }, "newest"],
  ["the task is not in these runs", smallPayload(), { task: "gone" }, "all tasks"],
  ["nothing has started", noTries, {}, "open DAG"],
  ["nothing has started in the runs that the filters leave", noTries, { runStates: ["queued"] }, "reset"],
  ["the tries were purged", purged, {}, "newest"],
  ["the tries were purged up to the last run that is shown", justPurged, {}, "newest"],
];
for (const [name, payload, change, action] of CASES)
  test(`what to do if ${name}`, () =>
    assert.equal(emptyNotice(payload, { ...DEFAULTS, ...change })?.action ?? null, action));

test("a window that reaches back before a purge says so, any other says nothing", () => {
  const reaching = { ...smallPayload(), window: { ...smallPayload().window, purged_before: 5000 } };
  assert.match(purgeNotice(reaching), /^Tries before 1970-01-01 01:23 UTC were removed/);
  assert.equal(purgeNotice(smallPayload()), null);
});

test("the overview says since when there are failed tries, where that is late in its window", () => {
  const of = (...oldest) => oldestFailure({ now: 4000, since: 0, dags: { oldest_failed_try: oldest } }, true);
  assert.equal(of(null, 3600, 2400), ", its first failed try at 1970-01-01 00:40");
  assert.equal(of(3600, 900), "");
  assert.equal(of(null), "");
});

const ERRORS = [
  [0, "again"],
  [401, "log in"],
  [403, "all DAGs"],
  [404, "all DAGs"],
  [422, "reset"],
  [503, "fewer"],
  [500, "again"],
];
for (const [status, action] of ERRORS)
  test(`an answer ${status} offers: ${action}`, () => assert.equal(errorNotice(status, "").action, action));

test("a page without runs says on which side they are", () => {
  assert.equal(emptyNotice(tooOld, { ...DEFAULTS, before: "5" }).text, "None of 20 runs is this old.");
});

for (const detail of [
  "These runs have more than 150,000 tries. Ask for fewer runs, or give task_id.",
  "runs is an integer from 1 to 1000, not '2000'.",
])
  test(`fewer runs are offered after: ${detail}`, () =>
    assert.deepEqual(errorNotice(422, detail), {
      title: "The server cannot answer this",
      text: detail,
      action: "fewer",
    }));

test("the server's own sentence goes before ours", () => {
  assert.equal(errorNotice(403, "Ask Ada.").text, "Ask Ada.");
});

test("a shift is told in the time zone of the axis", () => {
  const shift = { task: 1, kind: "duration", run: 1, before: 250, after: 420, text: "in UTC, by the server" };
  assert.equal(
    shiftText(smallPayload(), shift, false),
    "load changed around 1970-01-01 01:15 (UTC): median 4.2 min to 7.0 min",
  );
  assert.match(
    shiftText(smallPayload(), shift, true),
    /^load changed around 1970-01-01 06:45 \(Asia\/(Kolkata|Calcutta)\): median/,
  );
  const tries = { ...shift, kind: "tries", before: 1.05, after: 2.3 };
  assert.match(shiftText(smallPayload(), tries, false), /: mean 1\.1 to 2\.3 tries$/);
});

test("what is still shown after a refresh failed says of when it is", () => {
  const text = staleNotice({ status: 0, message: "" }, 1_795_168_000, false);
  assert.equal(text, "Airflow did not answer: the page shows the state of 2026-11-20 09:46 and keeps trying.");
});
