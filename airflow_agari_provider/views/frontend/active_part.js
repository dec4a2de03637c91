/** What is under way now, in all DAGs: what waits, for what, and what takes longer than usual. */

import { ApiError, ask } from "./api.js";
import { element } from "./dom.js";
import { keepFocus } from "./focus.js";
import { errorNotice } from "./notices.js";
import { DEFAULTS } from "./permalink.js";
import { table } from "./table.js";
import { count, counted, duration, moment, zone } from "./units.js";

const MOST_ROWS = 50; // shown at once

/** One row per task instance, from the server's columns. Pure. */
export function activeRows({ tasks, now }) {
  return tasks.dag_id.map((_, at) => {
    const row = Object.fromEntries(Object.entries(tasks).map(([name, column]) => [name, column[at]]));
    return { ...row, at, seconds: row.since === null ? null : Math.max(0, now - row.since) };
  });
}

/** Sentences about the pools in which something waits, and about all that is under way. Pure. */
export function activeText({ total, more, tasks, pools }) {
  if (total === 0) return "Nothing is under way.";
  const late = tasks.longer_than_usual.filter(Boolean).length;
  const waiting = pools.pool.flatMap((name, at) => {
    const number = pools.queued[at] + pools.scheduled[at];
    if (number === 0) return [];
    const slots = pools.slots[at];
    const of = slots === null || slots < 0 ? "" : ` of ${count(slots)}`;
    return [`pool ${name}: ${count(number)} waiting, ${count(pools.slots_taken[at])}${of} slots taken`];
  });
  const all = `${more ? "More than " : ""}${counted(total, "task instance is", "task instances are")} under way`;
  const longer = late ? `, ${count(late)} for longer than 95 of 100 usually take` : "";
  return `${[`${all}${longer}`, ...waiting].join("; ")}.`;
}

export class ActivePart {
  /** @param {object} page an OverviewPage. */
  constructor(page) {
    this.page = page;
    this.body = element("div", {});
    this.order = { sort: null, descending: true };
    this.most = MOST_ROWS;
    this.node = element(
      "details",
      { class: "under-way", on: { toggle: () => this.load() } },
      element("summary", { "data-key": "under-way" }, "Under way now: what waits, and what takes longer than usual"),
      this.body,
    );
  }

  /** Load what the part shows, if it is open. */
  async load() {
    if (!this.node.open) return;
    if (!this.answer) this.body.textContent = "Reading what is under way …";
    try {
      this.answer = (await ask("api/active", { again: Boolean(this.answer) })) ?? this.answer;
      this.draw();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.answer = null;
      this.body.textContent = `What is under way did not come: ${errorNotice(error.status, error.message).text}`;
    }
  }

  draw() {
    const { answer, order } = this;
    if (!answer || !this.node.open) return;
    const rows = activeRows(answer);
    const onSort = (sort, descending) => {
      this.order = { sort, descending };
      this.draw();
    };
    const more = () => {
      this.most += MOST_ROWS;
      this.draw();
    };
    const parts = [
      element("p", { class: "muted" }, activeText(answer)),
      rows.length
        ? element(
            "div",
            { class: "scroll" },
            table("Under way now", rows, this.#columns(), {
              ...order,
              onSort,
              most: this.most,
              rowClass: (row) => (row.longer_than_usual ? "late" : null),
            }),
          )
        : "",
      rows.length > this.most
        ? element(
            "button",
            { type: "button", class: "more", "data-key": "more-active", on: { click: more } },
            "Show more",
          )
        : "",
    ];
    keepFocus(() => this.body.replaceChildren(...parts));
  }

  #columns() {
    const { frame, state } = this.page;
    const utc = !state.local;
    const link = (row) =>
      frame.link(
        { ...DEFAULTS, local: state.local, zone: state.zone, dag: row.dag_id, task: row.task_id, run: row.run_id },
        `${row.task_id}${row.map_index >= 0 ? ` [${row.map_index}]` : ""}`,
      );
    const text = (key, title, hint) => ({
      key: `active_${key}`,
      title,
      hint,
      left: true,
      value: (row) => row[key] ?? "",
      text: (row) => row[key] ?? "–",
    });
    const seconds = (key, title, hint) => ({
      key: `active_${key}`,
      title,
      hint,
      value: (row) => row[key],
      text: (row) => duration(row[key]),
    });
    return [
      { key: "active_task", title: "task", name: true, value: (row) => row.task_id, node: link },
      text("dag_id", "DAG", "Sort by DAG"),
      text("state", "state", "What it does now"),
      seconds("seconds", "for", "Since its start, or since it waits"),
      seconds("median_seconds", "usual", "Half of its instances took less, in the newest 50 runs"),
      seconds("p95_seconds", "p95", "95 of 100 took less"),
      {
        key: "active_expected_end",
        title: `expected end (${zone(utc)})`,
        hint: "From how long it usually takes; none if it takes longer than that",
        value: (row) => row.expected_end,
        text: (row) => (row.longer_than_usual ? "longer than usual" : moment(row.expected_end, utc)),
      },
      text("pool", "pool", "Pool of slots that it takes or waits for"),
      text("queue", "queue", "Queue of the executor"),
      text("executor", "executor", "Executor, if it is not the default one"),
    ];
  }
}
