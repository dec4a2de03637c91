import assert from "node:assert/strict";
import { test } from "node:test";
import { csv, triesRows } from "../../../airflow_agari_provider/views/frontend/csv.js";
import { shownTries } from "../../../airflow_agari_provider/views/frontend/series.js";
import { smallPayload } from "./small_payload.js";

test("the file has exactly the tries that are shown, and waiting only where it is shown", () => {
  const payload = smallPayload();
  const shown = shownTries(payload, 1, false, [0, 0]);
  assert.equal(
    csv(triesRows(payload, shown, { idle: true, queued: false, deferred: false })),
    [
      "run_id,run_after,run_type,run_state,task_id,map_index,instances,try_number,outcome,start,end,run_seconds,idle_seconds",
      "one,1970-01-01T00:15:00.000Z,scheduled,success,load,-1,1,1,failed_first,1970-01-01T00:17:50.000Z,1970-01-01T00:18:20.000Z,30,0",
      "one,1970-01-01T00:15:00.000Z,scheduled,success,load,-1,1,2,failed_second,1970-01-01T00:23:20.000Z,1970-01-01T00:24:00.000Z,40,300",
      "one,1970-01-01T00:15:00.000Z,scheduled,success,load,-1,1,3,success,1970-01-01T00:29:10.000Z,1970-01-01T00:30:50.000Z,20,300",
      "",
    ].join("\r\n"),
  );
});

test("the file says where an end is not known, and has no such column where all ends are known", () => {
  const payload = smallPayload();
  payload.tries.end_unknown[5] = true;
  const [head, , , , last] = triesRows(payload, shownTries(payload, 1, false), {});
  assert.deepEqual([head.at(-1), last.at(-1)], ["end_unknown", "true"]);
});

const CELLS = [
  [null, ""],
  [-5, "-5"],
  ["a,b", '"a,b"'],
  ['say "x"', '"say ""x"""'],
  ["=1+1", "'=1+1"],
  ["-x", "'-x"],
  ["two\nlines", '"two\nlines"'],
];
for (const [value, text] of CELLS)
  test(`a cell of ${JSON.stringify(value)} is written ${JSON.stringify(text)}`, () =>
    assert.equal(csv([[value]]), `${text}\r\n`));
