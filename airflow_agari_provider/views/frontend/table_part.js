/** A part of a page: a title, buttons that copy or save, and a table that can be sorted. */

import { element } from "./dom.js";
import { copyTable, saveTable } from "./exports.js";
import { keepFocus } from "./focus.js";
import { sorted, table } from "./table.js";
import { count } from "./units.js";

const FIRST_ROWS = 200; // drawn at once; the others when the reader asks for them

export class TablePart {
  /**
   * @param {object} frame as for TaskPage.
   * @param {object} options ``name``: of the part; ``title``; ``firstOrder``: ``sort``, null for as the rows come, and
   *   ``descending``; ``onSort(sort, descending)``: keeps the order; without it the part does; ``whole()``: draws all
   *   rows, where the server has not sent all of them, and tells whether that worked.
   * @param {...Node} controls beside the buttons.
   */
  constructor(frame, { name, title, firstOrder = { sort: null }, onSort = null, whole = null }, ...controls) {
    this.frame = frame;
    this.name = name;
    this.order = firstOrder;
    this.onSort = onSort;
    this.whole = whole;
    this.unlisted = 0;
    this.all = false;
    this.rows = [];
    this.columns = [];
    this.title = element("h2", {}, title);
    const button = (key, label, press) =>
      element("button", { type: "button", "data-control": `${key}-${name}`, on: { click: press } }, label);
    this.body = element("div", { class: "scroll" });
    this.more = element("button", {
      type: "button",
      "data-control": `more-${name}`,
      on: { click: () => this.#showAll() },
    });
    this.node = element(
      "section",
      { "aria-label": title },
      element(
        "div",
        { class: "table-head" },
        this.title,
        ...controls,
        button("copy", "Copy table", () => this.#withAll(() => copyTable(this))),
        button("csv", "CSV", () => this.#withAll(() => saveTable(this))),
      ),
      this.body,
      this.more,
    );
  }

  /**
   * @param {string} fileName without its ending.
   * @param {object} [order] chosen by the reader, if ``onSort`` keeps it.
   * @param {number} [unlisted] how many more rows there are, which ``whole`` draws.
   */
  draw(rows, columns, fileName, order = this.order, unlisted = 0) {
    Object.assign(this, { rows, columns, fileName, order, unlisted });
    const { sort, descending = true } = order;
    const ordered = sorted(rows, columns, sort, descending);
    const shown = this.all ? ordered : ordered.slice(0, FIRST_ROWS);
    const onSort = (by, down) => {
      if (this.onSort) this.onSort(by, down);
      else keepFocus(() => this.draw(rows, columns, fileName, { sort: by, descending: down }));
    };
    this.body.replaceChildren(table(this.title.textContent, shown, columns, { sort, descending, onSort }));
    this.more.hidden = shown.length === rows.length + unlisted;
    this.more.textContent = `Show all ${count(rows.length + unlisted)} rows`;
  }

  async #withAll(work) {
    if (this.unlisted === 0 || (await this.whole())) await work();
  }

  #showAll() {
    this.all = true;
    this.#withAll(() => keepFocus(() => this.draw(this.rows, this.columns, this.fileName, this.order)));
  }
}
