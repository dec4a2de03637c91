/** Both charts of a DAG, kept in step: same runs, same zoom, same crosshair. */

import { dark } from "./airflow.js";
import { highest, taskLayers } from "./by_task.js";
import { DurationChart } from "./duration_chart.js";
import { palette } from "./palette.js";
import { picture } from "./picture.js";
import { describeRun } from "./run_panel.js";
import {
  lateRuns,
  layers,
  rangeAround,
  rangeOf,
  rangeScaled,
  rollingMedian,
  shiftLines,
  shownTries,
  taskNames,
  totals,
  triesMap,
  unusualRuns,
} from "./series.js";
import { found } from "./table.js";
import { tooltip } from "./tooltip.js";
import { TriesMap } from "./tries_map.js";
import { count, counted, moment, zone } from "./units.js";

/** Name and colour of each layer of tasks, as ``palette().layer`` has them for outcomes. */
function taskColours(stack, colours) {
  const found = new Map(
    stack.map(({ key, name }, at) => [key, { name, colour: colours.task(at, key === "others"), decal: null }]),
  );
  return (key) => found.get(key);
}

export class Charts {
  /**
   * @param {object} places ``duration`` and ``map``: the elements to draw in.
   * @param {object} events ``pick(run, layer)``, ``cell(run, task)``, ``task(task)``, ``zoom(part)``: first and last
   *   shown run in epoch seconds, or nulls.
   */
  constructor(places, events) {
    this.places = places;
    this.events = events;
    this.upper = new DurationChart(places.duration, {
      pick: events.pick,
      zoom: (range) => this.#zoomed(range),
      point: (run) => this.lower.pointAt(run),
      shift: (run) => this.zoomAround(run),
    });
    this.lower = new TriesMap(places.map, {
      pick: events.cell,
      task: events.task,
      point: (run) => this.point(run),
      describe: (run, task) => this.#describeCell(run, task),
    });
  }

  /** @param {object} page ``payload``, ``state``, ``task`` (index or -1), ``shifts`` of the task. */
  draw({ payload, state, task, shifts }) {
    if (payload !== this.payload) this.map = triesMap(payload);
    this.payload = payload;
    this.state = state;
    const colours = palette(dark());
    const shown = shownTries(payload, task, state.last);
    const byTask = task < 0 && state.by !== "outcome";
    const stack = byTask ? taskLayers(payload, shown, state.folded) : layers(payload, shown, state);
    const length = payload.runs.run_id.length;
    const height = totals(stack, length);
    const lines = byTask && state.by === "lines";
    const names = taskNames(payload);
    this.view = {
      payload,
      stack,
      lines,
      sums: height,
      totals: lines ? highest(stack, length) : height,
      layer: byTask ? taskColours(stack, colours) : colours.layer,
      median: rollingMedian(payload.runs, height, 25, unusualRuns(payload, shown)),
      range: rangeOf(payload.runs, state.from, state.to),
      late: lateRuns(payload, task),
      sla: task >= 0 ? payload.tasks.sla[task] : null,
      shifts: shiftLines(shifts, task >= 0 ? null : names),
      log: state.log,
      whole: state.whole,
      local: state.local,
      width: this.places.duration.clientWidth,
      left: this.#leftMargin(names),
      tooltip: (at) => tooltip(this.view, at[0]?.dataIndex, colours),
    };
    this.upper.draw(this.view, colours);
    this.drawMap({ state, task });
    this.upper.paint();
  }

  /** Draw only the lower chart, with the tasks that match the search. */
  drawMap({ state, task }) {
    const names = taskNames(this.payload);
    const ids = this.payload.tasks.task_id;
    const rows = names.map((_, index) => index).filter((index) => found(state.search, names[index], ids[index]));
    this.lower.draw(
      { map: this.map, names, rows, range: this.view.range, selected: task, left: this.view.left },
      palette(dark()),
    );
  }

  /** Pixels left of the plots: for the tasks' names, and in the upper chart for the labels of the axis. */
  #leftMargin(names) {
    const context = document.createElement("canvas").getContext("2d");
    context.font = "13px system-ui, sans-serif";
    const widest = Math.max(...names.map((name) => context.measureText(name).width));
    return Math.round(Math.max(70, Math.min(widest + 24, 240, this.places.duration.clientWidth * 0.28)));
  }

  #describeCell(run, task) {
    const cell = task * this.map.runs + run;
    const tries = this.map.count[cell];
    const text =
      tries === 0
        ? this.map.blocked[cell]
          ? "not started, because a task before failed"
          : "not started"
        : `${counted(tries, "try", "tries")}${this.#ofIndexes(cell)}${this.map.failed[cell] ? ", the newest failed" : ""}`;
    return `${taskNames(this.payload)[task]}: ${text}\n${describeRun(this.payload, run, this.state.local)}`;
  }

  /** How many tries all indexes of a mapped task had together. */
  #ofIndexes(cell) {
    const started = this.map.started[cell];
    return started > this.map.count[cell] ? ` at most, ${count(started)} over all indexes` : "";
  }

  /** Fit to the width of the page, if that has changed. */
  resize(page) {
    if (this.places.duration.clientWidth !== this.view.width) this.draw(page);
  }

  /** Show the crosshair at a run in both charts; null: hide it. */
  point(run) {
    this.lower.pointAt(run);
    this.upper.pointAt(run);
  }

  /**
   * The run ``by`` places after ``run``, limited to the runs shown.
   *
   * @param {number|null} run null: no run is pointed at yet, so start at an end.
   */
  runAfter(run, by) {
    const [first, last] = this.view.range;
    if (run === null) return by > 0 ? first : last;
    return Math.min(last, Math.max(first, run + by));
  }

  /** Report the zoom as moments, not as indexes: runs that start later then do not shift it. */
  #zoomed([first, last]) {
    const { run_after: at } = this.payload.runs;
    this.lower.paint([first, last]);
    const whole = first === 0 && last === at.length - 1;
    this.events.zoom(whole ? { from: null, to: null } : { from: at[first], to: at[last] });
  }

  zoomAround(run) {
    this.upper.zoomTo(rangeAround(run, this.payload.runs.run_id.length));
  }

  /** Zoom by a factor around a run. @param {number|null} run null: around the middle. */
  zoomBy(factor, run) {
    const [first, last] = this.view.range;
    this.upper.zoomTo(
      rangeScaled(this.view.range, factor, run ?? Math.round((first + last) / 2), this.payload.runs.run_id.length),
    );
  }

  /** Text about the part of the runs that is shown; null: all runs are shown. */
  get part() {
    const {
      range: [first, last],
      local,
    } = this.view;
    const { run_after: at } = this.payload.runs;
    if (first === 0 && last === at.length - 1) return null;
    const [from, to] = [first, last].map((run) => moment(at[run], !local));
    return `zoomed to ${count(last - first + 1)} of ${count(at.length)} runs, ${from} to ${to} (${zone(!local)})`;
  }

  zoomOut() {
    this.upper.zoomTo([0, this.payload.runs.run_id.length - 1]);
  }

  /** @returns {HTMLCanvasElement} both charts below their title. */
  picture(title, subtitle) {
    const charts = [this.upper.canvas(), this.lower.canvas()].filter((chart) => chart !== null);
    return picture(title, subtitle, charts, palette(dark()));
  }

  close() {
    this.upper.close();
  }
}
