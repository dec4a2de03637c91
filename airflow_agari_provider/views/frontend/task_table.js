/** The table of a DAG's tasks: what the charts show, in numbers. */

import { element } from "./dom.js";
import { taskColumns } from "./figures.js";
import { table } from "./table.js";

const FIRST_ORDER = { sort: "lost_seconds", descending: true };

export class TaskTable {
  /** @param {object} page a TaskPage. */
  constructor(page) {
    this.page = page;
    this.frame = page.frame;
    this.node = element("div", { class: "scroll" });
    this.columns = taskColumns(({ name }) => page.frame.link({ task: name }, name));
  }

  /** Tasks whose name matches the search. */
  get rows() {
    const { payload, state } = this.page;
    const named = payload.task_figures.map((row) => ({ ...row, name: payload.tasks.task_id[row.task] }));
    return named.filter(({ name }) => name.toLowerCase().includes(state.search.toLowerCase()));
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
        : table(`Tasks of ${page.payload.dag_id}, ${page.payload.window.text}`, rows, columns, {
            sort: order.sort,
            descending: order.descending,
            onSort: (sort, descending) => page.go({ sort, descending }, { replace: true }),
            rowClass: ({ task }) => (task === page.task ? "marked" : null),
          }),
    );
  }
}
