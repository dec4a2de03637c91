/** The page of all DAGs that the reader may see. */

import { ActivePart } from "./active_part.js";
import { ApiError, ask } from "./api.js";
import { action, choice, noticeBox, searchBox, timeChoice } from "./controls.js";
import { element } from "./dom.js";
import { copyLink, copyTable, saveTable } from "./exports.js";
import { keepFocus } from "./focus.js";
import { OVERVIEW_HELP, showHelp } from "./help.js";
import { errorNotice, oldestFailure, staleNotice } from "./notices.js";
import { ALL_DAGS, overviewFilters } from "./overview_filters.js";
import { overviewColumns, overviewRows, passes, statesLegend } from "./overview_rows.js";
import { ASKED, DAY_COUNTS, DEFAULTS } from "./permalink.js";
import { remedy } from "./remedies.js";
import { found, table } from "./table.js";
import { count, moment, zone as zoneName } from "./units.js";

const MOST_ROWS = 100; // shown at once
const FIRST_ORDER = { sort: "newest_run", descending: true };

export class OverviewPage {
  /** @param {object} frame as for TaskPage. */
  constructor(root, frame) {
    this.frame = frame;
    this.go = frame.go;
    this.help = OVERVIEW_HELP;
    this.parts = {
      window: element("p", { class: "muted window", role: "status" }),
      stale: element("p", { class: "stale", role: "status", hidden: true }),
      notice: element("div", {}),
      body: element("div", { class: "scroll" }),
    };
    const days = choice({
      name: "days",
      label: "Window",
      options: () => DAY_COUNTS.map((value) => [String(value), value === 1 ? "1 day" : `${value} days`]),
      value: ({ state }) => String(state.days),
      pick: (value) => this.go({ days: Number(value) }),
    });
    const zone = timeChoice(frame);
    const search = searchBox({
      label: "Search DAGs  /",
      value: ({ state }) => state.search,
      set: (text) => this.go({ search: text }, { replace: true }),
    });
    const filters = overviewFilters(this);
    this.underWay = new ActivePart(this);
    const usable = ({ overview }) => Boolean(overview);
    const csv = action({
      name: "csv",
      label: "CSV",
      title: "The table, in plain numbers",
      press: () => saveTable(this),
      usable,
    });
    const copyButton = action({ name: "copy-table", label: "Copy table", press: () => copyTable(this), usable });
    const link = action({ name: "link", label: "Copy link", press: () => copyLink(this) });
    const help = action({ name: "help", label: "?", title: "Keys", press: () => showHelp(this.help) });
    const exports = [csv, copyButton, link, help];
    this.controls = [days, zone, search, ...filters, ...exports];
    root.replaceChildren(
      element(
        "header",
        { class: "top" },
        element("div", {}, element("h1", { tabindex: "-1", "data-key": "title" }, "All DAGs"), this.parts.window),
        element("nav", {}, ...exports.map(({ node }) => node)),
      ),
      element(
        "div",
        { class: "bar" },
        element("div", { class: "row" }, ...[days, zone, search, ...filters].map(({ node }) => node)),
      ),
      this.parts.stale,
      this.parts.notice,
      this.underWay.node,
      this.parts.body,
    );
    document.title = "All DAGs · tries";
  }

  update(state) {
    const before = this.state;
    this.state = state;
    this.most = MOST_ROWS;
    this.controls.forEach((control) => control.sync(this));
    if (this.overview && ASKED.every((key) => String(before[key]) === String(state[key]))) this.#render();
    else this.load();
  }

  async load(again = false) {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = new AbortController();
    this.underWay.load();
    const { signal } = this.abort;
    const { days } = this.state;
    try {
      if (!again) {
        this.parts.window.textContent = "Reading the runs …";
        this.counting = true;
      }
      const overview = await ask(`api/overview?days=${days}`, { again, signal });
      if (overview !== null) this.overview = overview;
      if (!again) this.taskTime = null;
      this.#render();
      this.#tell(await this.#loadTaskTime(again && this.taskTime !== null, signal));
      this.#render();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      if (again && this.overview) this.#tell(staleNotice(error, this.overview.now, this.state.local));
      else keepFocus(() => this.#fail(error));
    }
    this.#refreshLater();
  }

  /**
   * Load the columns that take longer; the table shows its other columns meanwhile.
   *
   * @returns {Promise<string|null>} why they could not be loaded; null: they were.
   */
  async #loadTaskTime(again, signal) {
    try {
      const taskTime = await ask(`api/overview/task_time?days=${this.state.days}`, { again, signal });
      this.counting = false;
      if (taskTime !== null) this.taskTime = taskTime;
      return null;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.counting = false;
      if (again) return staleNotice(error, this.taskTime.now, this.state.local);
      return `Retry rate and total time did not come: ${errorNotice(error.status, error.message).text}`;
    }
  }

  /** Show a line above the table; null: hide it. */
  #tell(text) {
    this.parts.stale.hidden = text === null;
    this.parts.stale.textContent = text ?? "";
  }

  #refreshLater() {
    if (!this.overview?.dags.active.some((active) => active > 0)) return;
    const later = () => (document.hidden ? this.#refreshLater() : this.load(true));
    this.timer = setTimeout(later, this.frame.configuration.refresh_seconds * 1000);
  }

  #fail({ status, message }) {
    const notice = errorNotice(status, message);
    this.overview = null;
    this.#tell(null);
    this.controls.forEach((control) => control.sync(this));
    this.parts.window.textContent = "";
    this.parts.body.replaceChildren();
    this.parts.notice.replaceChildren(noticeBox(notice, ...remedy(notice.action, this)));
  }

  get rows() {
    const { state, allRows } = this;
    return allRows.filter((row) => found(state.search, row.name, row.id) && passes(row, state));
  }

  get allRows() {
    return overviewRows(this.overview, this.taskTime, this.counting);
  }

  get #clock() {
    return { local: this.state.local, zone: this.state.zone };
  }

  get columns() {
    return overviewColumns({
      days: this.state.days,
      utc: !this.state.local,
      link: (dag, name) => this.frame.link({ ...DEFAULTS, ...this.#clock, dag }, name),
    });
  }

  get order() {
    return this.state.sort ? this.state : FIRST_ORDER;
  }

  /** File name for the table, without its ending. */
  get fileName() {
    return `all-dags-${this.state.days}-days`;
  }

  #render() {
    keepFocus(() => this.#draw());
  }

  #draw() {
    const { overview, rows } = this;
    this.controls.forEach((control) => control.sync(this));
    this.underWay.draw();
    const total = overview.dags.dag_id.length;
    this.parts.window.textContent = total === 0 ? "" : this.#windowText(rows.length, total);
    this.parts.notice.replaceChildren(...this.#emptyNotice(rows.length, total));
    const onSort = (sort, descending) => this.go({ sort, descending }, { replace: true });
    this.parts.body.replaceChildren(
      ...(rows.length
        ? [
            element("p", { class: "muted sideways" }, "More columns: scroll sideways →"),
            table(this.parts.window.textContent, rows, this.columns, { ...this.order, onSort, most: this.most }),
            this.#moreRows(rows.length),
            statesLegend(),
          ]
        : []),
    );
  }

  /** Button that shows more rows; null: all are shown. Exports have all rows. */
  #moreRows(total) {
    if (total <= this.most) return null;
    const next = Math.min(MOST_ROWS, total - this.most);
    const show = () => {
      this.most += MOST_ROWS;
      this.#render();
    };
    const text = `Show ${count(next)} more: ${count(this.most)} of ${count(total)} are shown`;
    return element("button", { type: "button", class: "more", "data-key": "more-rows", on: { click: show } }, text);
  }

  #windowText(shown, total) {
    const { first_run: first, since } = this.overview;
    const dags = shown === total ? `${count(total)} DAGs` : `${count(shown)} of ${count(total)} DAGs`;
    const utc = !this.state.local;
    return `${dags}; window since ${moment(since, utc)}${oldestFailure(this.overview, utc)}, “ever” since ${first === null ? "the first run" : moment(first, utc)} (${zoneName(utc)})`;
  }

  #emptyNotice(shown, total) {
    if (total === 0)
      return [noticeBox({ title: "No DAG to show", text: "You may not read any DAG, or no DAG has been parsed yet." })];
    if (shown === 0)
      return [
        noticeBox(
          {
            title: this.state.search ? `No DAG’s name has “${this.state.search}” in it` : "No DAG matches the filters",
            text: `The search and the filters hide all ${count(total)} DAGs.`,
          },
          "Clear search and filters",
          () => this.go({ search: "", ...ALL_DAGS }, { replace: true }),
        ),
      ];
    return [];
  }

  key() {
    return false;
  }

  recolour() {} // the style sheet sets all colours of this page

  close() {
    clearTimeout(this.timer);
    this.abort?.abort();
  }
}
