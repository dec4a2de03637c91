/** The table of a DAG's tasks: what the charts show, in numbers. */

import { element } from "./dom.js";
import { taskColumns } from "./figures.js";
import { taskNames } from "./series.js";
import { found, table } from "./table.js";

const FIRST_ORDER = { sort: "lost_seconds", descending: true };

export class TaskTable {
  /** @param {object} page a TaskPage. */
  constructor(page) {
    this.page = page;
    this.frame = page.frame;
    this.node = element("div", { class: "scroll" });
    this.columns = taskColumns(({ name, id }) => page.frame.link({ task: id }, name));
  }

  /** Tasks whose name matches the search. */
  get rows() {
    const { payload, state } = this.page;
    const names = taskNames(payload);
    const ids = payload.tasks.task_id;
    const named = payload.task_figures.map((row) => ({ ...row, name: names[row.task], id: ids[row.task] }));
    return named.filter(({ name, id }) => found(state.search, name, id));
  }

  get order() {
    return this.page.state.sort ? this.page.state : FIRST_ORDER;
  }

  get fileName() {
    return `${this.page.dag}-tasks`;
  }

  draw() {
    const { rows, columns, order, page } = this;
    this.node.replaceChildren(
      rows.length === 0
        ? element("p", { class: "none" }, `No task’s name has “${page.state.search}” in it.`)
        : element(
            "div",
            {},
            element("p", { class: "muted sideways" }, "More columns: scroll sideways →"),
            table(`Tasks of ${page.payload.dag_id}, ${page.payload.window.text}`, rows, columns, {
              sort: order.sort,
              descending: order.descending,
              onSort: (sort, descending) => page.go({ sort, descending }, { replace: true }),
              rowClass: ({ task }) => (task === page.task ? "marked" : null),
            }),
          ),
    );
  }
}
