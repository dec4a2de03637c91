/** The page of a DAG: its tries, run by run, of one task or all of them. */

import { dark, logAddress, openAirflow } from "./airflow.js";
import { ask, ApiError } from "./api.js";
import { Charts } from "./charts.js";
import { noticeBox, searchBox } from "./controls.js";
import { element } from "./dom.js";
import { copyTable } from "./exports.js";
import { figureCards, taskColumns, wallTime } from "./figures.js";
import { notes } from "./notes.js";
import { emptyNotice, errorNotice } from "./notices.js";
import { ASKED, triesAddress } from "./permalink.js";
import { remedy } from "./remedies.js";
import { describeRun, runPanel, tryOf } from "./run_panel.js";
import { shownTries } from "./series.js";
import { table } from "./table.js";
import { taskControls } from "./task_controls.js";
import { count, duration } from "./units.js";

const FIRST_ORDER = { sort: "lost_seconds", descending: true };
const OF_ROWS = ["search", "sort", "descending"]; // controls that leave the bars as they are
const SETTLED = 200; // milliseconds without a zoom step before the address takes it over

export class TaskPage {
  /**
   * @param {object} frame ``configuration``, ``go(change, {replace})``, ``note(change)``: into the address only,
   *   ``query(change)``, ``say(text)`` to screen readers.
   * @param {string} dag
   */
  constructor(root, frame, dag) {
    this.root = root;
    this.frame = frame;
    this.dag = dag;
    this.go = frame.go;
    this.cursor = null; // the run that the keys have reached
    this.marked = -1; // task whose tries stand out in the list of a run
    this.parts = this.#build();
    this.observer = new ResizeObserver(() => !this.parts.body.hidden && this.charts?.resize(this));
    this.observer.observe(root);
  }

  #build() {
    const parts = {
      heading: element("h1", {}),
      window: element("p", { class: "muted window", role: "status" }),
      notice: element("div", {}),
      body: element("div", { hidden: true }),
      cards: element("dl", { class: "cards" }),
      wall: element("p", { class: "muted wall" }),
      notes: element("div", { class: "notes" }),
      chart: element("h2", {}),
      duration: element("div", { class: "duration", tabindex: "0", role: "img" }),
      panel: element("div", {}),
      map: element("div", { class: "map" }),
      tasks: element("div", { class: "scroll" }),
    };
    this.controls = taskControls(this);
    const search = searchBox({ label: "Search tasks  /", value: ({ state }) => state.search, set: (text) => this.go({ search: text }, { replace: true }) });
    this.controls.all.push(search);
    const copyButton = element("button", { type: "button", "data-control": "copy-table", on: { click: () => copyTable(this) } }, "Copy table");
    parts.body.append(parts.cards, parts.wall, parts.notes, parts.chart, parts.duration, parts.panel,
      element("h2", {}, "Tries per task and run"), parts.map,
      element("div", { class: "table-head" }, element("h2", {}, "Tasks"), search.node, copyButton), parts.tasks);
    this.root.replaceChildren(
      element("header", { class: "top" }, element("div", {}, parts.heading, parts.window), this.controls.links),
      this.controls.bar, parts.notice, parts.body);
    return parts;
  }

  /** Show another state of the controls, asking the server where that needs it. */
  update(state) {
    const before = this.state;
    this.state = state;
    this.controls.sync(this);
    const changed = Object.keys(state).filter((key) => String(before?.[key]) !== String(state[key]));
    if (!this.address || changed.some((key) => ASKED.includes(key))) this.load();
    else if (!this.parts.body.hidden && changed.every((key) => OF_ROWS.includes(key))) this.#drawRows();
    else this.#render();
  }

  /** @param {boolean} again a refresh: what is shown stays until there is something newer. */
  async load(again = false) {
    clearTimeout(this.timer);
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.parts.window.classList.toggle("busy", !again);
    try {
      const news = await this.#loadTries(triesAddress(this.state), again);
      if (news || !again || this.parts.body.hidden) this.#render();
      if (this.state.task !== null && this.task >= 0) await this.#loadFigures(triesAddress(this.state, this.state.task), again);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof ApiError)) throw error;
      this.#fail(error);
    } finally {
      if (this.abort === abort) this.parts.window.classList.remove("busy");
    }
    this.#refreshLater();
  }

  /** @returns {Promise<boolean>} whether there is anything new. */
  async #loadTries(address, again) {
    if (!again && address === this.address) return false; // another task of the same runs
    if (!this.payload) this.parts.window.textContent = "Reading the tries …";
    const payload = await ask(address, { again, signal: this.abort.signal });
    this.address = address;
    this.payload = payload ?? this.payload;
    return payload !== null;
  }

  /** The figures of one task are asked for by themselves, after its bars are drawn. */
  async #loadFigures(address, again) {
    const answer = await ask(address, { again, signal: this.abort.signal });
    if (answer !== null) this.taskFigures = { address, ...answer.figures };
    this.#drawFigures();
  }

  #drawFigures() {
    const { taskFigures } = this;
    const wanted = triesAddress(this.state, this.state.task);
    const figures = this.task < 0 ? this.payload.figures : taskFigures?.address === wanted ? taskFigures : null;
    this.parts.cards.replaceChildren(...figureCards(figures));
    this.parts.wall.textContent = figures ? wallTime(figures) : "";
  }

  #refreshLater() {
    const active = this.payload?.runs.state.some((state) => state === "running" || state === "queued");
    if (!active || this.payload.window.newer) return;
    const later = () => (document.hidden ? this.#refreshLater() : this.load(true));
    this.timer = setTimeout(later, this.frame.configuration.refresh_seconds * 1000);
  }

  #fail(error) {
    this.address = null;
    this.parts.heading.textContent = this.title;
    this.parts.window.textContent = "";
    this.#showNotice(errorNotice(error.status, error.message));
  }

  #showNotice(notice) {
    this.parts.body.hidden = notice !== null;
    this.parts.notice.replaceChildren(...(notice ? [noticeBox(notice, ...remedy(notice.action, this))] : []));
  }

  /** Index of the chosen task; -1: all. */
  get task() {
    return this.state.task === null ? -1 : this.payload.tasks.task_id.indexOf(this.state.task);
  }

  get title() {
    return this.state.task === null ? this.dag : `${this.dag} › ${this.state.task}`;
  }

  get shifts() {
    return this.payload.shifts.filter((shift) => this.task < 0 || shift.task === this.task);
  }

  #render() {
    const started = performance.now();
    const { parts, payload, state } = this;
    parts.heading.textContent = this.title;
    document.title = `${this.title} · tries`;
    parts.window.textContent = payload.window.text;
    this.controls.sync(this);
    const empty = emptyNotice(payload, state);
    this.#showNotice(empty);
    if (empty) return;
    this.#drawFigures();
    parts.notes.replaceChildren(...notes(payload, this.shifts, (run) => this.charts.zoomAround(run)));
    this.#drawCharts();
    parts.chart.textContent = this.#chartTitle();
    this.#drawTable();
    this.#drawPanel();
    performance.measure("agari-draw", { start: started, end: performance.now() });
  }

  #chartTitle() {
    const { late, sla } = this.charts.view;
    const tries = this.state.last ? "last try only" : "every try stacked";
    const missed = sla === null ? "" : ` · SLA ${duration(sla)} after the run’s start: ${count(late.length)} of ${count(this.payload.window.shown)} runs later`;
    return `Time per run, ${tries}${this.task < 0 ? ", all tasks summed" : ""}${missed}`;
  }

  #drawRows() {
    this.charts.drawMap(this);
    this.#drawTable();
  }

  #drawCharts() {
    this.charts ??= new Charts(this.parts, {
      pick: (run, layer) => this.pick(run, layer),
      cell: (run, task) => this.openRun(run, task),
      task: (task) => this.go({ task: task === this.task ? null : this.payload.tasks.task_id[task] }),
      zoom: (part) => this.#zoomed(part),
    });
    this.charts.draw(this);
    this.parts.duration.setAttribute("aria-label", `Stacked bars of the time per run, ${this.payload.window.text}. `
      + `${this.shifts.map(({ text }) => text).join(". ")} The table of tasks below has the numbers. `
      + "Left and right arrow move from run to run, Enter opens the log.");
  }

  #zoomed(part) {
    this.state = { ...this.state, ...part };
    this.controls.sync(this);
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.frame.note(part), SETTLED);
  }

  get rows() {
    const named = this.payload.task_figures.map((row) => ({ ...row, name: this.payload.tasks.task_id[row.task] }));
    return named.filter(({ name }) => name.toLowerCase().includes(this.state.search.toLowerCase()));
  }

  get columns() {
    return taskColumns(({ name }) => this.frame.link({ task: name }, name));
  }

  get order() {
    return this.state.sort ? this.state : FIRST_ORDER;
  }

  #drawTable() {
    const { sort, descending } = this.order;
    this.parts.tasks.replaceChildren(table(`Tasks of ${this.payload.dag_id}, ${this.payload.window.text}`, this.rows, this.columns, {
      sort,
      descending,
      onSort: (key, down) => this.go({ sort: key, descending: down }, { replace: true }),
      rowClass: ({ task }) => (task === this.task ? "marked" : null),
    }));
  }

  #drawPanel() {
    const { payload, state, marked } = this;
    const run = state.run === null ? -1 : payload.runs.run_id.indexOf(state.run);
    const panel = () => runPanel({
      payload, run, shown: this.shownOf(run), marked, local: state.local, dark: dark(),
      configuration: this.frame.configuration, onClose: () => this.go({ run: null }),
    });
    this.parts.panel.replaceChildren(...(run < 0 ? [] : [panel()]));
  }

  /** Indexes of the tries of a run that are shown. */
  shownOf(run) {
    return shownTries(this.payload, this.task, this.state.last, [run, run]);
  }

  /** A bar was chosen: the log, where it is that of one try; else the run's tries as a list. */
  pick(run, layer) {
    const { outcomes, tries } = this.payload;
    const meant = this.shownOf(run).filter((index) => outcomes[tries.outcome[index]] === layer);
    if (this.task >= 0 && meant.length === 1) this.openLog(meant[0]);
    else this.openRun(run, this.task);
  }

  openLog(index) {
    openAirflow(logAddress(this.frame.configuration, tryOf(this.payload, index)));
  }

  openRun(run, task) {
    this.marked = task;
    this.go({ run: this.payload.runs.run_id[run] });
    this.parts.panel.querySelector("h2")?.focus({ preventScroll: true });
    this.parts.panel.scrollIntoView({ block: "nearest" });
  }

  /** @returns {boolean} whether the key meant something; see help.js. */
  key(name) {
    if (!this.payload || this.parts.body.hidden) return false;
    if (name === "ArrowLeft" || name === "ArrowRight") this.#step(name === "ArrowRight" ? 1 : -1);
    else if (name === "Enter" && this.cursor !== null) this.#open();
    else if (name === "Escape" && this.state.run !== null) this.go({ run: null });
    else return false;
    return true;
  }

  #step(by) {
    this.cursor = this.charts.runAfter(this.cursor, by);
    this.charts.point(this.cursor);
    this.frame.say(`${describeRun(this.payload, this.cursor, this.state.local)}, ${this.shownOf(this.cursor).length} tries`);
  }

  #open() {
    const newest = this.shownOf(this.cursor).filter((index) => this.payload.tries.last[index]);
    if (this.task >= 0 && newest.length === 1) this.openLog(newest[0]);
    else this.openRun(this.cursor, this.task);
  }

  /** Draw anew in other colours. */
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
