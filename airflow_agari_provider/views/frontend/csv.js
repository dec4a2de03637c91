// @ts-check
/** What the page shows, as a CSV file for a spreadsheet. Pure: no document, no state. */

import { WAITS } from "./series.js";

/** A spreadsheet reads a text that begins with one of these characters as a formula. */
const FORMULA = /^[=+\-@\t\r]/;

/** Change a text so that no spreadsheet reads it as a formula. */
export function plain(text) {
  return FORMULA.test(text) ? `'${text}` : text;
}

/** Rows of values as RFC 4180 text; null becomes an empty cell, and no text becomes a formula. */
export function csv(rows) {
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = plain(String(value));
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * A header row and a row for each try shown. A waiting column is there only if its control is on, and ``end_unknown`` only if a try's end is not known. Moments are ISO 8601
 * in UTC.
 */
export function triesRows(payload, shown, waits) {
  const { runs, tasks, tries, outcomes } = payload;
  const waiting = WAITS.filter(([control]) => waits[control]).map(([, column]) => column);
  const unknown = shown.some((index) => tries.end_unknown?.[index]) ? ["end_unknown"] : [];
  const head = [
    "run_id",
    "run_after",
    "run_type",
    "run_state",
    "task_id",
    "map_index",
    "instances",
    "try_number",
    "outcome",
    "start",
    "end",
    "run_seconds",
    ...unknown,
    ...waiting,
  ];
  return [
    head,
    ...shown.map((index) => {
      const run = tries.run[index];
      return [
        runs.run_id[run],
        iso(runs.run_after[run]),
        runs.run_type[run],
        runs.state[run],
        tasks.task_id[tries.task[index]],
        tries.map_index[index],
        tries.instances[index],
        tries.try_number[index],
        outcomes[tries.outcome[index]],
        iso(tries.start[index]),
        iso(tries.end[index]),
        tries.run_seconds[index],
        ...unknown.map(() => String(tries.end_unknown[index])),
        ...waiting.map((column) => tries[column][index]),
      ];
    }),
  ];
}

/** A header row and the rows of a table as plain numbers: from a column's ``csv``, else from its ``value``. */
export function tableRows(rows, columns) {
  const cells = columns.flatMap(({ key, value, csv: parts }) => parts ?? [[key, value]]);
  return [cells.map(([name]) => name), ...rows.map((row) => cells.map(([, value]) => value(row)))];
}

export function iso(epoch) {
  return epoch === null || epoch === undefined ? null : new Date(epoch * 1000).toISOString();
}
