/** The indexes of a mapped task in one run: how long they took, and which failed or were retried. */

import { airflowLink, logAddress } from "./airflow.js";
import { ApiError, ask } from "./api.js";
import { element } from "./dom.js";
import { keepFocus } from "./focus.js";
import { errorNotice } from "./notices.js";
import { LAYERS } from "./palette.js";
import { table } from "./table.js";
import { count, counted, duration } from "./units.js";

const MOST_ROWS = 50; // shown at once

/** One row per index, from the server's columns. Pure. */
export function indexRows({ indexes }) {
  return indexes.map_index.map((map_index, at) => {
    const label = indexes.label[at];
    const row = Object.fromEntries(Object.entries(indexes).map(([name, column]) => [name, column[at]]));
    return { ...row, name: label === null || label === "" ? `[${map_index}]` : `[${map_index}] ${label}` };
  });
}

/** What the indexes were like, in a sentence. Pure. */
export function indexText({ total, failed, retried, median_seconds: median, p95_seconds: p95 }) {
  if (total === 0) return "No index of this task has started in this run.";
  const parts = [
    `${counted(total, "index", "indexes")}: half took up to ${duration(median)}, 95 of 100 up to ${duration(p95)}`,
    failed ? `${count(failed)} failed` : "none failed",
    retried ? `${counted(retried, "was", "were")} tried more than once` : "none was retried",
  ];
  return `${parts.join("; ")}.`;
}

export class IndexPanel {
  /** @param {object} page a TaskPage. */
  constructor(page) {
    this.page = page;
    this.node = page.parts.indexes;
    this.order = { sort: "run_seconds", descending: true };
    this.most = MOST_ROWS;
  }

  /** Show what the page's state asks for. */
  sync() {
    const { dag, state } = this.page;
    if (state.run === null || state.indexes === null) {
      this.address = null;
      this.node.replaceChildren();
      return;
    }
    const query = new URLSearchParams({ run_id: state.run, task_id: state.indexes });
    const address = `api/dags/${encodeURIComponent(dag)}/indexes?${query}`;
    if (address !== this.address) this.#load(address);
    else if (this.answer) this.#draw();
  }

  async #load(address) {
    this.address = address;
    this.answer = null;
    this.most = MOST_ROWS;
    this.#show(element("p", {}, "Reading the indexes …"));
    try {
      const answer = await ask(address);
      if (address !== this.address) return;
      this.answer = answer;
      this.#draw();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#show(element("p", {}, `The indexes did not come: ${errorNotice(error.status, error.message).text}`));
    }
  }

  #show(...children) {
    const { state, go } = this.page;
    const close = element(
      "button",
      { type: "button", "data-key": "close-indexes", on: { click: () => go({ indexes: null }) } },
      "Close",
    );
    keepFocus(() =>
      this.node.replaceChildren(
        element(
          "section",
          { class: "panel", "aria-label": "Indexes of the mapped task" },
          element("header", {}, element("h2", {}, `Indexes of ${state.indexes} in ${state.run}`), close),
          ...children,
        ),
      ),
    );
  }

  #draw() {
    const { answer, order } = this;
    const rows = indexRows(answer);
    const onSort = (sort, descending) => {
      this.order = { sort, descending };
      this.#draw();
    };
    const more = () => {
      this.most += MOST_ROWS;
      this.#draw();
    };
    this.#show(
      element("p", { class: "muted" }, indexText(answer)),
      histogramOf(answer),
      element(
        "div",
        { class: "scroll" },
        table(`Indexes of ${answer.task_id}`, rows, this.#columns(), { ...order, onSort, most: this.most }),
      ),
      rows.length > this.most
        ? element(
            "button",
            { type: "button", class: "more", "data-key": "more-indexes", on: { click: more } },
            `Show more: ${count(this.most)} of ${count(answer.total)} are shown`,
          )
        : null,
    );
  }

  #columns() {
    const { dag, frame } = this.page;
    const { run_id: runId, task_id: taskId } = this.answer;
    const address = (row) =>
      logAddress(frame.configuration, { dagId: dag, runId, taskId, tryNumber: row.tries, mapIndex: row.map_index });
    const seconds = (key, title, hint) => ({
      key,
      title,
      hint,
      value: (row) => row[key],
      text: (row) => duration(row[key]),
    });
    const whole = (key, title, hint) => ({
      key,
      title,
      hint,
      value: (row) => row[key],
      text: (row) => count(row[key]),
    });
    return [
      {
        key: "map_index",
        title: "index",
        name: true,
        hint: "Sort by number",
        value: (row) => row.map_index,
        text: (row) => row.name,
      },
      {
        key: "outcome",
        title: "newest try",
        left: true,
        hint: "Outcome of the newest try",
        value: (row) => row.outcome,
        text: (row) => LAYERS[row.outcome]?.[0] ?? row.outcome,
      },
      seconds("run_seconds", "ran", "Running time of all its tries"),
      seconds("lost_seconds", "lost", "Running time of its failed tries"),
      seconds("waited_seconds", "waited", "Between tries, queued, and deferred"),
      whole("tries", "tries", "Tries that started"),
      whole("failed_tries", "failed", "Tries that failed"),
      {
        key: "log",
        title: "log",
        hint: "Log of the newest try",
        value: (row) => row.map_index,
        node: (row) => airflowLink(address(row), { class: "log", "data-key": `index-${row.map_index}` }, "Log"),
      },
    ];
  }
}

/** Bars of how many indexes took how long; null: there is nothing to compare. */
function histogramOf({ histogram: { from_seconds: edges, indexes }, total }) {
  if (total < 2) return null;
  const most = Math.max(...indexes);
  const text = (at) => {
    const until = at + 1 < edges.length ? ` to ${duration(edges[at + 1])}` : " and longer";
    return `${duration(edges[at])}${until}: ${counted(indexes[at], "index", "indexes")}`;
  };
  return element(
    "div",
    {},
    element(
      "div",
      { class: "histogram", role: "img", "aria-label": indexes.flatMap((of, at) => (of ? [text(at)] : [])).join("; ") },
      ...indexes.map((of, at) => element("i", { title: text(at), style: { height: `${(100 * of) / most}%` } })),
    ),
    element(
      "div",
      { class: "days-ends muted" },
      element("span", {}, "0 s"),
      element("span", {}, `${duration(edges[edges.length - 1])} and longer`),
    ),
  );
}
