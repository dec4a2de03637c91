/** Rows and columns of the tables of checks, of their runs, and of the keys of a run. */

import { airflowLink, outsideLink, runAddress } from "./airflow.js";
import { iso } from "./csv.js";
import { element } from "./dom.js";
import { count, counted, moment } from "./units.js";
import { visible } from "./visible.js";

/** The same meaning as the colours. */
export const SIGNS = { ok: "✓", accepted: "✓", warning: "!", "high discrepancies": "✕" };
const CLASSES = { ok: "success", accepted: "success", warning: "queued", "high discrepancies": "failed" };

/** Rows from the server's columns, whose texts are as a person can trust them; the raw ones are under ``raw``. Pure. */
function rowsOf(columns) {
  const names = Object.keys(columns);
  return columns[names[0]].map((_, at) => {
    const raw = Object.fromEntries(names.map((name) => [name, columns[name][at]]));
    const seen = Object.entries(raw).map(([name, value]) => [name, typeof value === "string" ? visible(value) : value]);
    return { ...Object.fromEntries(seen), raw, at };
  });
}

/** One row per check. Pure. */
export function checkRows({ checks }) {
  return rowsOf(checks).map((row) => ({
    ...row,
    name: `${row.dag_id} › ${row.task_id}`,
    dag: row.raw.dag_id,
    task: row.raw.task_id,
  }));
}

/** One row per run, the newest first; ``totals``: of each stage. Pure. */
export function runRows({ runs, totals }) {
  return rowsOf(runs)
    .map((row) => ({ ...row, totals: totals.map((of) => of[row.at]) }))
    .reverse();
}

/** What the runs stored about keys: one row per key and comparison, the worst first. Pure. */
export function cellRows({ cells, keys }) {
  return rowsOf(cells).map((row) => ({ ...row, name: keyName(keys.key[row.key]), of: keys.key[row.key] }));
}

/** Text of a key; what is not about one key has none. Pure. */
export function keyName(key) {
  return key === "" ? "all keys together" : visible(key);
}

/** What is wrong with a key, as text: "▼ lost 12 (3.4 %)". Pure. */
export function cellText({ severity, difference, percent, comparison }) {
  if (severity === "none") return "ok";
  if (severity === "recovered") return "recovered";
  if (difference === 0) return comparison === "silent" ? "silent" : "nothing counted";
  const share = percent === null ? "" : ` (${Math.abs(percent).toFixed(1)} %)`;
  return `${difference > 0 ? "▼ lost" : "▲ gained"} ${count(Math.abs(difference))}${share}`;
}

/** Address of a check's task in a run. */
export function runOfCheck(configuration, { dag, task }, runId) {
  const [, name, index] = /^(.*)\[(\d+)\]$/s.exec(task) ?? [null, task, null];
  const mapped = index === null ? "" : configuration.mapped_log_url.replace("{map_index}", index);
  return runAddress(configuration, { dagId: dag, runId, taskId: name }) + mapped;
}

/** A link to the stored report; a dash if there is none. */
export function reportLink(link, url) {
  return link?.startsWith("https://")
    ? outsideLink(link, { title: url }, "report")
    : element("span", { title: url }, url ?? "–");
}

export function verdictNode(verdict) {
  return element(
    "span",
    { class: `number ${CLASSES[verdict] ?? "queued"}` },
    `${SIGNS[verdict] ?? "?"} ${visible(verdict) || "not known"}`,
  );
}

/** The verdicts of the newest runs as a row of marks. */
function strip(verdicts) {
  const bad = verdicts.filter((verdict) => verdict === "high discrepancies").length;
  return element(
    "span",
    { class: "strip", role: "img", "aria-label": `${bad} of the last ${counted(verdicts.length, "run", "runs")} bad` },
    ...verdicts.map((verdict) => element("i", { class: CLASSES[verdict] ?? "queued" })),
  );
}

const text = (key, title, hint, shown = (row) => row[key]) => ({
  key,
  title,
  hint,
  left: true,
  value: shown,
  text: (row) => shown(row) ?? "–",
});
const whole = (key, title, hint) => ({ key, title, hint, value: (row) => row[key], text: (row) => count(row[key]) });

/** @param {object} options ``utc``; ``link(row)``, ``run(row)``, ``report(row)``: Nodes. */
export function checkColumns({ utc, link, run, report }) {
  return [
    {
      key: "name",
      title: "check",
      name: true,
      hint: "Sort by DAG and task",
      csv: [
        ["dag_id", (row) => row.raw.dag_id],
        ["task_id", (row) => row.raw.task_id],
      ],
      value: (row) => row.name,
      node: link,
    },
    {
      ...text("last_verdict", "last verdict", "Verdict of the newest run"),
      node: (row) => verdictNode(row.last_verdict),
    },
    whole("bad_windows", "bad windows", "Windows whose last check found discrepancies"),
    {
      key: "verdicts",
      title: "last runs",
      left: true,
      hint: "Sort by the share of bad runs",
      csv: [
        ["bad", (row) => row.bad],
        ["warned", (row) => row.warned],
      ],
      value: (row) => row.bad / row.runs,
      text: (row) => `${count(row.bad)} of ${count(row.runs)} bad`,
      node: (row) => strip(row.verdicts),
    },
    whole("runs", "runs", "Runs in these days"),
    whole("last_discrepant", "keys differ", "Keys that differ by more than allowed, in the newest run"),
    whole("last_keys", "keys", "Keys in the newest run"),
    {
      ...text("last_window", "last window", "The newest run"),
      node: (row) => element("span", { class: "run-id" }, run(row)),
    },
    {
      key: "last_checked_at",
      title: "checked",
      hint: "When the newest run was checked",
      csv: [["checked_at", (row) => iso(row.last_checked_at)]],
      value: (row) => row.last_checked_at,
      text: (row) => moment(row.last_checked_at, utc),
    },
    { ...text("last_report_url", "report", "Where the whole table is"), node: report },
  ];
}

/**
 * @param {object} options ``stages``: names; ``utc``; ``run(row)``, ``report(row)``, ``keys(row)``: Nodes;
 *   ``badWindows``.
 */
export function runColumns({ stages, utc, run, report, keys, badWindows }) {
  return [
    {
      key: "window",
      title: "window",
      name: true,
      hint: "Sort by the date of the run",
      csv: [
        ["run_at", (row) => row.run_at],
        ["run_id", (row) => row.raw.run_id],
        ["window", (row) => row.raw.window],
      ],
      value: (row) => row.run_at,
      text: (row) => row.window,
      node: keys,
    },
    {
      ...text("verdict", "verdict", "What the check found; accepted: a person has accepted that"),
      node: (row) =>
        element(
          "span",
          {},
          verdictNode(row.verdict),
          row.verdict === "high discrepancies" && !badWindows.has(row.raw.window)
            ? element("small", { class: "badge" }, "repaired")
            : null,
        ),
    },
    {
      ...text("bad_stage", "first bad stage", "The first stage that lost or gained messages"),
      text: (row) => (row.bad_stage === null ? "–" : `${row.good_stage} → ${row.bad_stage}`),
      csv: [
        ["good_stage", (row) => row.raw.good_stage],
        ["bad_stage", (row) => row.raw.bad_stage],
      ],
    },
    whole("discrepant", "keys differ", "Keys that differ by more than allowed"),
    whole("keys", "keys", "Keys that were counted"),
    ...stages.map((stage, place) => ({
      key: `stage-${place}`,
      title: visible(stage),
      hint: "Messages at this stage",
      csv: [[stage, (row) => row.totals[place]]],
      value: (row) => row.totals[place],
      text: (row) => count(row.totals[place]),
    })),
    {
      ...text("told", "told", "Who was told, and of what", (row) => toldText(row.told)),
      node: (row) => element("span", { class: "wrap" }, toldText(row.told)),
    },
    {
      key: "checked_at",
      title: "checked",
      hint: "When it was checked last",
      csv: [["checked_at", (row) => iso(row.checked_at)]],
      value: (row) => row.checked_at,
      text: (row) => moment(row.checked_at, utc),
    },
    {
      ...text("run_id", "run", "The run in Airflow"),
      csv: [],
      node: run,
    },
    { ...text("report_url", "report", "Where the whole table is"), node: report },
  ];
}

/** Who was told: "Slack alarm, mail report". Pure. */
export function toldText(told) {
  return (
    told.map(({ channel, kind }) => `${channel === "*" ? "all" : visible(channel)} ${visible(kind)}`).join(", ") || "–"
  );
}

/** Columns of the keys of one run. @param {(row: object) => Node} link a Node that shows the key alone. */
export function keyColumns({ stages, link }) {
  return [
    {
      key: "name",
      title: "key",
      name: true,
      hint: "Sort by key",
      csv: [["key", (row) => row.of]],
      value: (row) => row.name,
      node: link,
    },
    {
      key: "difference",
      title: "difference",
      hint: "Sort by the number of messages",
      left: true,
      csv: [
        ["severity", (row) => row.severity],
        ["difference", (row) => row.difference],
        ["percent", (row) => row.percent],
      ],
      value: (row) => Math.abs(row.difference),
      text: cellText,
      node: (row) =>
        element(
          row.severity === "none" ? "span" : "b",
          {
            class: row.severity === "alarm" ? "number failed" : row.severity === "recovered" ? "number success" : null,
          },
          cellText(row),
        ),
    },
    { ...text("comparison", "comparison", "The column of the report") },
    {
      ...text("bad_stage", "first bad stage", "The first stage that lost or gained messages"),
      text: (row) => (row.bad_stage === null ? "–" : `${row.good_stage} → ${row.bad_stage}`),
      csv: [
        ["good_stage", (row) => row.raw.good_stage],
        ["bad_stage", (row) => row.raw.bad_stage],
      ],
    },
    ...stages.map((stage, place) => ({
      key: `count-${place}`,
      title: visible(stage),
      hint: "Messages at this stage",
      csv: [[stage, (row) => row.counts?.[place] ?? null]],
      value: (row) => row.counts?.[place] ?? null,
      text: (row) => count(row.counts?.[place]),
    })),
  ];
}

/** A link to a check's task in a run. */
export function runLink(configuration, check, row) {
  const address = runOfCheck(configuration, check, row.raw.run_id);
  return airflowLink(address, { "data-key": `run-${row.run_at}`, title: row.run_id }, "run");
}
