/** The page of a DAG: the tries of one task or of all tasks, run by run. */

import { framed, logAddress, openAirflow } from "./airflow.js";
import { ApiError, ask } from "./api.js";
import { Charts } from "./charts.js";
import { noticeBox, searchBox } from "./controls.js";
import { element } from "./dom.js";
import { copyTable, saveTable } from "./exports.js";
import { focused, focusOn, keepFocus } from "./focus.js";
import { TASK_HELP } from "./help.js";
import { KeyFigures } from "./key_figures.js";
import { chartTitle, notes } from "./notes.js";
import { emptyNotice, errorNotice, shiftText, staleNotice } from "./notices.js";
import { ASKED, triesAddress } from "./permalink.js";
import { remedy } from "./remedies.js";
import { RunKeys } from "./run_keys.js";
import { tryOf } from "./run_panel.js";
import { layerOf, shownTries, taskNames } from "./series.js";
import { taskControls } from "./task_controls.js";
import { drawPanels } from "./task_panels.js";
import { taskParts } from "./task_parts.js";
import { TaskTable } from "./task_table.js";

const OF_ROWS = ["search", "sort", "descending"]; // controls that do not change the bars
const SETTLED = 200; // milliseconds without a zoom step before the zoom is written into the address

export class TaskPage {
  /**
   * @param {object} frame ``configuration``, ``go(change, {replace})``, ``note(change)``: only changes the address,
   *   ``query(change)``, ``say(text)``: to screen readers, ``tell(text)``: to all readers.
   * @param {string} dag
   */
  constructor(root, frame, dag) {
    this.root = root;
    this.frame = frame;
    this.dag = dag;
    this.go = frame.go;
    this.help = TASK_HELP;
    this.keys = new RunKeys(this);
    this.marked = -1; // task whose tries stand out in the list of a run
    this.parts = this.#build();
    this.observer = new ResizeObserver(() => !this.parts.body.hidden && this.charts?.resize(this));
    this.observer.observe(root);
  }

  #build() {
    const parts = taskParts();
    this.figures = new KeyFigures();
    this.table = new TaskTable(this);
    this.controls = taskControls(this);
    const search = searchBox({
      label: "Search tasks  /",
      value: ({ state }) => state.search,
      set: (text) => this.go({ search: text }, { replace: true }),
    });
    this.controls.all.push(search);
    const button = (name, label, press) =>
      element("button", { type: "button", "data-control": name, on: { click: press } }, label);
    const exports = [
      button("copy-table", "Copy table", () => copyTable(this.table)),
      button("table-csv", "CSV", () => saveTable(this.table)),
    ];
    const figures = [this.figures.cards, this.figures.wall, parts.notes];
    const chart = [parts.chart, parts.duration, parts.panel, parts.indexes, parts.compare];
    parts.body.append(
      ...(framed() ? [...chart, ...figures] : [...figures, ...chart]), // in Airflow's tab, the bars are seen at once
      element("h2", {}, "Tries per task and run"),
      parts.map,
      element("div", { class: "table-head" }, element("h2", {}, "Tasks"), search.node, ...exports),
      this.table.node,
    );
    this.root.replaceChildren(
      element("header", { class: "top" }, element("div", {}, parts.heading, parts.window), this.controls.links),
      this.controls.bar,
      parts.stale,
      parts.notice,
      parts.body,
    );
    return parts;
  }

  /** Show another state of the controls; ask the server only if that state needs other data. */
  update(state) {
    const before = this.state;
    this.state = state;
    this.parts.heading.textContent = this.title;
    this.controls.sync(this);
    const changed = Object.keys(state).filter((key) => String(before?.[key]) !== String(state[key]));
    if (!this.address || changed.some((key) => ASKED.includes(key))) this.load();
    else if (!this.parts.body.hidden && changed.every((key) => OF_ROWS.includes(key))) this.#drawRows();
    else this.#render();
  }

  /** @param {boolean} again a refresh: the page keeps what it shows until newer data arrives. */
  async load(again = false) {
    clearTimeout(this.timer);
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.parts.window.classList.toggle("busy", !again);
    try {
      const news = await this.#loadTries(triesAddress(this.state), again);
      this.#tell(null);
      if (news || !again || this.parts.body.hidden) this.#render();
      if (!this.parts.body.hidden) await this.figures.load(this, again, abort.signal);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      if (again && !this.parts.body.hidden) this.#tell(staleNotice(error, this.payload.now, this.state.local));
      else keepFocus(() => this.#fail(error));
    } finally {
      if (this.abort === abort) this.parts.window.classList.remove("busy");
    }
    this.#refreshLater();
  }

  /** @returns {Promise<boolean>} whether the data is new. */
  async #loadTries(address, again) {
    if (!again && address === this.address) return false; // another task, but the same runs: their tries are here already
    if (!this.payload) this.parts.window.textContent = "Reading the tries …";
    const payload = await ask(address, { again, signal: this.abort.signal });
    this.address = address;
    this.payload = payload ?? this.payload;
    return payload !== null;
  }

  /** Show a line above the charts; null: hide it. */
  #tell(text) {
    this.parts.stale.hidden = text === null;
    this.parts.stale.textContent = text ?? "";
  }

  #refreshLater() {
    const active = this.payload?.runs.state.some((state) => state === "running" || state === "queued");
    if (!active || this.payload.window.newer) return;
    const later = () => (document.hidden ? this.#refreshLater() : this.load(true));
    this.timer = setTimeout(later, this.frame.configuration.refresh_seconds * 1000);
  }

  #fail(error) {
    this.address = null;
    this.#tell(null);
    this.parts.window.textContent = "";
    this.#showNotice(errorNotice(error.status, error.message));
  }

  #showNotice(notice) {
    this.parts.body.hidden = notice !== null;
    this.controls.sync(this);
    this.parts.notice.replaceChildren(...(notice ? [noticeBox(notice, ...remedy(notice.action, this))] : []));
  }

  /** Index of the chosen task; -1: all tasks, or the chosen task is not in these runs. */
  get task() {
    return this.state.task === null ? -1 : this.payload.tasks.task_id.indexOf(this.state.task);
  }

  get title() {
    const dag = this.payload?.display_name ?? this.dag;
    if (this.state.task === null) return dag;
    const at = this.payload?.tasks.task_id.indexOf(this.state.task) ?? -1;
    return `${dag} › ${at < 0 ? this.state.task : taskNames(this.payload)[at]}`;
  }

  get shifts() {
    return this.payload.shifts.filter((shift) => this.task < 0 || shift.task === this.task);
  }

  /** Which runs are shown, as text. */
  get windowText() {
    return [this.payload.window.text, this.charts.part].filter(Boolean).join(" · ");
  }

  #render() {
    keepFocus(() => this.#draw());
  }

  #draw() {
    const started = performance.now();
    const { parts, payload, state } = this;
    parts.heading.textContent = this.title;
    document.title = `${this.title} · tries`;
    parts.window.textContent = payload.window.text;
    const empty = emptyNotice(payload, state);
    this.#showNotice(empty);
    if (empty) return;
    this.figures.draw(this);
    this.#drawCharts();
    this.controls.sync(this); // whether a bar is cut is known only now
    parts.notes.replaceChildren(...notes(this, Boolean(parts.notes.querySelector("details[open]"))));
    parts.chart.textContent = chartTitle(this);
    this.table.draw();
    drawPanels(this, () => this.#closePanel());
    performance.measure("agari-draw", { start: started, end: performance.now() });
  }

  #drawRows() {
    keepFocus(() => {
      this.charts.drawMap(this);
      this.table.draw();
    });
  }

  #drawCharts() {
    this.charts ??= new Charts(this.parts, {
      pick: (run, layer) => this.pick(run, layer),
      cell: (run, task) => this.openRun(run, task),
      task: (task) => this.go({ task: task === this.task ? null : this.payload.tasks.task_id[task] }),
      zoom: (part) => this.#zoomed(part),
    });
    this.charts.draw(this);
    this.parts.duration.setAttribute(
      "aria-label",
      `Stacked bars of the time per run, ${this.payload.window.text}. ` +
        `${this.shifts.map((shift) => shiftText(this.payload, shift, this.state.local)).join(". ")} The table of tasks below has the numbers. ` +
        "Left and right arrow move from run to run, Enter opens the log, plus and minus zoom.",
    );
  }

  #zoomed(part) {
    this.state = { ...this.state, ...part };
    keepFocus(() => this.controls.sync(this));
    this.parts.chart.textContent = chartTitle(this);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.frame.note(part), SETTLED);
  }

  /** Close the list of tries. The focus goes back to the element that had it when the list was opened. */
  #closePanel() {
    const inside = this.parts.panel.contains(document.activeElement);
    this.go({ run: null });
    if (inside) focusOn(this.opener, "bars");
  }

  /** Indexes of the tries of a run that are shown. */
  shownOf(run) {
    return shownTries(this.payload, this.task, this.state.last, [run, run]);
  }

  /** The reader chose a bar: open the log if the bar is a single try of one task; otherwise list the run's tries. */
  pick(run, layer) {
    const meant = this.shownOf(run).filter((index) => layerOf(this.payload, index) === layer);
    const tasks = this.charts.view.stack.find(({ key }) => key === layer)?.tasks ?? [];
    if (this.task >= 0 && meant.length === 1) this.openLog(meant[0]);
    else this.openRun(run, tasks.length === 1 ? tasks[0] : this.task);
  }

  openLog(index) {
    openAirflow(logAddress(this.frame.configuration, tryOf(this.payload, index)));
  }

  openRun(run, task) {
    this.marked = task;
    if (!this.parts.panel.contains(document.activeElement)) this.opener = focused();
    this.go({ run: this.payload.runs.run_id[run] });
    this.parts.panel.querySelector("h2")?.focus({ preventScroll: true });
    this.parts.panel.scrollIntoView({ block: "nearest" });
  }

  /** @returns {boolean} whether the page handled the key; see help.js. */
  key(name) {
    if (!this.payload || this.parts.body.hidden) return false;
    if (name !== "Escape") return this.keys.press(name);
    if (this.state.run === null) return false;
    this.#closePanel();
    return true;
  }

  /** Draw the page again in the colours of the current theme. */
  recolour() {
    if (this.payload && !this.parts.body.hidden) this.#render();
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.settling);
    this.abort?.abort();
    this.observer.disconnect();
    this.charts?.close();
  }
}
