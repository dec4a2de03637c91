/** Export what the page shows: as a file, a picture, a table or a link. */

import { shareAddress } from "./airflow.js";
import { csv, tableRows, triesRows } from "./csv.js";
import { copy, download } from "./dom.js";
import { shownTries } from "./series.js";
import { asText, sorted } from "./table.js";

const BYTE_ORDER_MARK = "\ufeff"; // without it, Excel does not recognise UTF-8

/** @param {object} page a TaskPage. */
export function saveCsv(page) {
  const { payload, state, charts } = page;
  const shown = shownTries(payload, page.task, state.last, charts.view.range);
  save(triesRows(payload, shown, state), nameOf(page, "tries"));
}

/** @param {object} page a TaskTable or an OverviewPage: their rows, in the order shown. */
export function saveTable(page) {
  save(tableRows(ordered(page, page.columns), page.columns), page.fileName);
}

function save(rows, name) {
  download(`${name}.csv`, new Blob([BYTE_ORDER_MARK, csv(rows)], { type: "text/csv;charset=utf-8" }));
}

export function savePicture(page) {
  const made = page.charts.picture(page.title, page.windowText);
  made.toBlob((blob) => download(`${nameOf(page, "tries")}.png`, blob), "image/png");
}

function nameOf({ dag, state }, what) {
  return [dag, state.task, what].filter(Boolean).join("-");
}

function ordered({ rows, order }, columns) {
  return sorted(rows, columns, order.sort, order.descending);
}

/** @param {object} page a TaskTable or an OverviewPage. */
export async function copyTable(page) {
  await copied(page.frame, "Table", asText(ordered(page, page.columns), page.columns));
}

export async function copyLink({ frame }) {
  await copied(frame, "Link", shareAddress());
}

async function copied(frame, what, text) {
  frame.tell((await copy(text)) ? `${what} copied` : "Nothing copied: the browser does not allow it");
}
