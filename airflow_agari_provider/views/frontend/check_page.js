/** The page of one check: the stages over its runs, which keys were wrong when, and what each run found. */

import { dark } from "./airflow.js";
import { emptyRuns, runCards, runsSentence } from "./check_parts.js";
import { cellRows, keyColumns, keyName, reportLink, runColumns, runLink, runRows } from "./check_rows.js";
import { daysChoice, problemsToggle } from "./checks_page.js";
import { action, searchBox, timeChoice } from "./controls.js";
import { chosen, DEFAULTS, dataAddress, moved } from "./discrepancies_link.js";
import { element } from "./dom.js";
import { focusOn } from "./focus.js";
import { HeatMap } from "./heat_map.js";
import { CHECK_HELP } from "./help.js";
import { LoadedPage } from "./loaded_page.js";
import { palette } from "./palette.js";
import { StageChart } from "./stage_chart.js";
import { found } from "./table.js";
import { TablePart } from "./table_part.js";
import { visible } from "./visible.js";

const NAMES = 190; // pixels left of the chart and of the map, so that a run is at the same place in both
const NARROWEST = 80; // the same, on a small screen

export class CheckPage extends LoadedPage {
  constructor(root, frame) {
    super(root, frame, {
      help: CHECK_HELP,
      reading: "Reading the runs …",
      missing: { title: "This check cannot be shown", action: "all checks" },
      cards: runCards(null),
    });
    this.stages = new StageChart((run) => this.#pick(run));
    this.map = new HeatMap({ pick: (run) => this.#pick(run), key: (key) => this.go({ key }) });
    const search = searchBox({
      label: "Search windows  /",
      value: ({ state }) => state.search,
      set: (text) => this.go({ search: text }, { replace: true }),
    });
    this.runs = new TablePart(
      frame,
      {
        name: "runs",
        title: "Runs",
        onSort: (sort, descending) => this.go({ sort, descending }, { replace: true }),
      },
      this.keep(search),
    );
    this.keys = new TablePart(
      frame,
      { name: "keys", title: "Keys" },
      element("button", { type: "button", "data-control": "close-keys", on: { click: () => this.#close() } }, "Close"),
    );
    this.keys.title.tabIndex = -1;
    this.keys.title.dataset.key = "keys";
    this.keys.node.classList.add("panel", "keys");
    this.mapPart = element(
      "section",
      { "aria-label": "Keys over runs" },
      element("h2", {}, "Keys over runs"),
      this.map.node,
    );
    this.parts.body.append(
      element("section", { "aria-label": "Stages" }, element("h2", {}, "Messages at each stage"), this.stages.node),
      this.mapPart,
      this.keys.node,
      this.runs.node,
    );
    this.resized = new ResizeObserver(() => this.parts.body.clientWidth !== this.width && this.recolour());
    this.resized.observe(this.parts.body);
  }

  shows({ dag, task }) {
    return dag === this.state.dag && task === this.state.task;
  }

  address(state) {
    return dataAddress(state);
  }

  title({ dag, task }) {
    return `${visible(dag)} › ${visible(task)}`;
  }

  places() {
    return [this.frame.link(chosen(null), "All checks")];
  }

  controlsOf() {
    return [
      daysChoice(this),
      action({ name: "earlier", label: "← Earlier", press: () => this.go(moved(this.state, -1, this.now)) }),
      action({
        name: "later",
        label: "Later →",
        press: () => this.go(moved(this.state, 1, this.now)),
        usable: ({ state }) => state?.until !== null,
      }),
      problemsToggle(this),
      timeChoice(this.frame),
    ];
  }

  get remedies() {
    const { dag, task, local, zone } = this.state;
    return {
      reset: ["Reset filters", () => this.go({ ...DEFAULTS, dag, task, local, zone })],
      all: ["Show the last 365 days", () => this.go({ ...DEFAULTS, dag, task, local, zone, days: 365 })],
      "all checks": ["Show all checks", () => this.go(chosen(null))],
    };
  }

  /** Index of the run whose keys are listed; -1: none. */
  get picked() {
    return this.answer.runs.run_at.indexOf(this.state.run);
  }

  draw() {
    const { answer, parts, state } = this;
    parts.window.textContent = runsSentence(answer, !state.local);
    parts.cards.replaceChildren(...runCards(answer));
    const empty = emptyRuns(answer, state);
    this.notice(empty);
    parts.body.hidden = empty !== null;
    if (empty !== null) return;
    const { configuration } = this.frame;
    const stages = answer.stages;
    const name = `${state.dag}-${state.task}`;
    const report = (row) => reportLink(row.report_link, row.report_url);
    const runs = runRows(answer).filter((row) => found(state.search, row.window, row.run_id));
    this.runs.draw(
      runs,
      runColumns({
        stages,
        utc: !state.local,
        badWindows: new Set(answer.bad_windows),
        report,
        run: (row) => runLink(configuration, state, row),
        keys: (row) => this.#keysButton(row),
      }),
      `${name}-runs`,
      state,
    );
    this.cells = cellRows(answer);
    this.#drawKeys(stages, name);
    this.mapPart.hidden = answer.keys.key.length === 0;
    this.recolour();
  }

  recolour() {
    if (!this.answer || this.parts.body.hidden) return;
    const { answer, state } = this;
    this.width = this.parts.body.clientWidth;
    const left = Math.round(Math.min(NAMES, Math.max(NARROWEST, this.width * 0.28)));
    this.stages.draw({ answer, dark: dark(), left }, palette(dark()));
    const known = answer.keys.key.includes(state.key) ? state.key : null;
    this.map.draw({
      cells: this.cells,
      keys: answer.keys.key,
      chosen: known,
      windows: answer.runs.window,
      marked: this.picked,
      dark: dark(),
      left,
    });
  }

  #keysButton(row) {
    const pick = () => this.#pick(row.at);
    return element(
      "button",
      {
        type: "button",
        class: "link",
        "data-key": `keys-${row.run_at}`,
        title: "List the keys of this run",
        on: { click: pick },
      },
      row.window || row.run_at,
    );
  }

  #drawKeys(stages, name) {
    const { picked } = this;
    this.keys.node.hidden = picked < 0;
    if (picked < 0) return;
    this.keys.title.textContent = `Keys of ${visible(this.answer.runs.window[picked])}`;
    const rows = this.cells.filter(({ run }) => run === picked);
    const link = (row) =>
      element(
        "button",
        { type: "button", class: "link", "data-key": `key-${row.of}`, on: { click: () => this.go({ key: row.of }) } },
        keyName(row.of),
      );
    this.keys.draw(rows, keyColumns({ stages, link }), `${name}-${this.answer.runs.run_at[picked]}-keys`);
  }

  #pick(run) {
    this.go({ run: this.answer.runs.run_at[run] });
    focusOn("keys");
    this.keys.node.scrollIntoView({ block: "nearest" });
  }

  #close() {
    const { run } = this.state;
    this.go({ run: null });
    focusOn(`keys-${run}`, "title");
  }

  key(name) {
    if (!this.answer || this.parts.body.hidden) return false;
    if (name === "Escape" && this.picked >= 0) this.#close();
    else if (name === "ArrowLeft" || name === "ArrowRight") this.#step(name === "ArrowLeft" ? -1 : 1);
    else return false;
    return true;
  }

  /** From run to run; the first step leads to the newest run. */
  #step(by) {
    const last = this.answer.runs.run_at.length - 1;
    const next = this.picked < 0 ? last : Math.min(last, Math.max(0, this.picked + by));
    this.go({ run: this.answer.runs.run_at[next] }, { replace: true });
    this.frame.say(visible(`${this.answer.runs.window[next]}: ${this.answer.runs.verdict[next]}`));
  }

  close() {
    super.close();
    this.resized.disconnect();
    this.stages.close();
  }
}
