/** What is shown, as a file for a spreadsheet. Pure: no document, no state. */

import { WAITS } from "./series.js";

/** A spreadsheet takes a text that begins with one of these for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** A text that no spreadsheet takes for a formula. */
export function plain(text) {
  return FORMULA.test(text) ? `'${text}` : text;
}

/** Rows of values as RFC 4180 text; null is empty, and no text is taken for a formula. */
export function csv(rows) {
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = plain(String(value));
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A head and a row for each try that is shown; waiting only where its control is on. Moments are ISO 8601 in UTC. */
export function triesRows(payload, shown, waits) {
  const { runs, tasks, tries, outcomes } = payload;
  const waiting = WAITS.filter(([control]) => waits[control]).map(([, column]) => column);
  const head = [
    "run_id", "run_after", "run_type", "run_state", "task_id", "map_index", "instances", "try_number", "outcome",
    "start", "end", "run_seconds", ...waiting,
  ];
  return [
    head,
    ...shown.map((index) => {
      const run = tries.run[index];
      return [
        runs.run_id[run], iso(runs.run_after[run]), runs.run_type[run], runs.state[run],
        tasks.task_id[tries.task[index]], tries.map_index[index], tries.instances[index], tries.try_number[index],
        outcomes[tries.outcome[index]], iso(tries.start[index]), iso(tries.end[index]), tries.run_seconds[index],
        ...waiting.map((column) => tries[column][index]),
      ];
    }),
  ];
}

/** A head and a row for each row of a table: the numbers themselves, as ``csv`` of a column has them, or its ``value``. */
export function tableRows(rows, columns) {
  const cells = columns.flatMap(({ key, value, csv: parts }) => parts ?? [[key, value]]);
  return [cells.map(([name]) => name), ...rows.map((row) => cells.map(([, value]) => value(row)))];
}

export function iso(epoch) {
  return epoch === null || epoch === undefined ? null : new Date(epoch * 1000).toISOString();
}
