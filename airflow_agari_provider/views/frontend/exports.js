/** What is shown, to take along: a file, a picture, a table, an address. */

import { shareAddress } from "./airflow.js";
import { csv, triesRows } from "./csv.js";
import { copy, download } from "./dom.js";
import { shownTries } from "./series.js";
import { asText, sorted } from "./table.js";

/** @param {object} page a TaskPage. */
export function saveCsv(page) {
  const { payload, state, charts } = page;
  const shown = shownTries(payload, page.task, state.last, charts.view.range);
  download(`${fileName(page)}.csv`, new Blob([csv(triesRows(payload, shown, state))], { type: "text/csv;charset=utf-8" }));
}

export function savePicture(page) {
  const made = page.charts.picture(page.title, page.payload.window.text);
  made.toBlob((blob) => download(`${fileName(page)}.png`, blob), "image/png");
}

function fileName({ dag, state }) {
  return [dag, state.task, "tries"].filter(Boolean).join("-");
}

/** @param {object} page a TaskPage or an OverviewPage: their rows in the order they are shown in. */
export async function copyTable({ rows, columns, order, frame }) {
  await copy(asText(sorted(rows, columns, order.sort, order.descending), columns));
  frame.say("Table copied");
}

export async function copyLink({ frame }) {
  await copy(shareAddress());
  frame.say("Link copied");
}
