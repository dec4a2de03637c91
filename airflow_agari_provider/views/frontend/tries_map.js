/** The lower chart: tries per task and run. A plain canvas draws twenty thousand cells in a few milliseconds. */

import { element } from "./dom.js";
import { CELLS } from "./palette.js";
import { CELL } from "./series.js";

const ROW = 22; // pixels
const LEGEND_HEIGHT = 28;
const GAP = 2;
const LEGEND = [CELL.once, CELL.twice, CELL.thrice, CELL.more, CELL.running, CELL.skipped];

export class TriesMap {
  /** @param {object} events ``pick(run, task)``, ``task(task)``, ``point(run)``, ``describe(run, task)``: a text. */
  constructor(container, events) {
    this.events = events;
    this.names = element("div", { class: "map-names" });
    this.surface = element("canvas", { "aria-hidden": "true" });
    this.line = element("div", { class: "map-line", hidden: true });
    this.tip = element("div", { class: "tip map-tip", hidden: true });
    this.plot = element("div", { class: "map-plot" }, this.surface, this.line, this.tip);
    this.legend = element("div", { class: "map-legend" });
    container.replaceChildren(element("div", { class: "map-scroll" }, this.names, this.plot), this.legend);
    this.#listen();
  }

  #listen() {
    this.plot.addEventListener("pointermove", (event) => this.#hover(event));
    this.plot.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
      this.events.point(null);
    });
    this.plot.addEventListener("click", (event) => {
      const cell = this.#cellAt(event);
      if (cell) this.events.pick(cell.run, cell.task);
    });
  }

  /**
   * @param {object} view ``map`` from triesMap(), ``names``, ``rows`` (indexes of the tasks shown), ``range``,
   *   ``selected`` (task or -1), ``left`` (pixels).
   */
  draw(view, colours) {
    this.view = view;
    this.colours = colours;
    this.names.style.width = `${view.left}px`;
    this.names.replaceChildren(
      ...view.rows.map((task) =>
        element(
          "button",
          {
            type: "button",
            "data-key": `map-${view.names[task]}`,
            class: task === view.selected ? "selected" : null,
            title: view.names[task],
            "aria-pressed": String(task === view.selected),
            on: { click: () => this.events.task(task) },
          },
          view.names[task],
        ),
      ),
    );
    this.legend.replaceChildren(...this.#legend().map(swatch));
    this.paint(view.range);
  }

  /** Colour, text and height of each entry of the legend; only what occurs in the map. */
  #legend() {
    const { map } = this.view;
    const present = new Set(map.level);
    const cells = LEGEND.filter((level) => present.has(level)).map((level) => [
      this.colours.cells[level],
      CELLS.names[level],
      12,
    ]);
    if (map.blocked.includes(1)) cells.push([this.colours.blocked, "a task before failed", 12]);
    return map.failed.includes(1) ? [...cells, [this.colours.failed, "newest try failed", 8]] : cells;
  }

  /** Draw the cells of a range of runs. */
  paint(range) {
    this.view.range = range;
    const { rows, map } = this.view;
    const width = Math.max(1, this.plot.clientWidth);
    const height = rows.length * ROW;
    const scale = window.devicePixelRatio || 1;
    this.surface.width = width * scale;
    this.surface.height = height * scale;
    this.surface.style.height = `${height}px`;
    const context = this.surface.getContext("2d");
    context.scale(scale, scale);
    this.#paintCells(context, width / (range[1] - range[0] + 1), map, rows, range);
  }

  /** Draw the important cells last, over all other cells: they stay visible where a run is narrower than a pixel. */
  #paintCells(context, step, map, rows, [first, last]) {
    const space = step > 5 ? 1 : 0;
    for (const level of [CELL.skipped, CELL.once, CELL.running, CELL.twice, CELL.thrice, CELL.more]) {
      const width = Math.max(step - space, level >= CELL.twice && level !== CELL.running ? 1.5 : 0.6);
      context.fillStyle = this.colours.cells[level];
      rows.forEach((task, row) => {
        for (let run = first; run <= last; run += 1)
          if (map.level[task * map.runs + run] === level)
            context.fillRect((run - first) * step, row * ROW, width + (space ? 0 : 0.3), ROW - GAP);
      });
    }
    for (const [flags, colour, high, least] of [
      [map.blocked, this.colours.blocked, ROW - GAP, 0.6],
      [map.failed, this.colours.failed, 9, 2],
    ]) {
      context.fillStyle = colour;
      rows.forEach((task, row) => {
        for (let run = first; run <= last; run += 1)
          if (flags[task * map.runs + run])
            context.fillRect((run - first) * step, (row + 1) * ROW - GAP - high, Math.max(step - space, least), high);
      });
    }
  }

  #cellAt({ clientX, clientY }) {
    const box = this.surface.getBoundingClientRect();
    const [first, last] = this.view.range;
    const run = first + Math.floor(((clientX - box.left) / box.width) * (last - first + 1));
    const task = this.view.rows[Math.floor((clientY - box.top) / ROW)];
    return run >= first && run <= last && task !== undefined ? { run, task } : null;
  }

  #hover(event) {
    const cell = this.#cellAt(event);
    this.tip.hidden = !cell;
    if (!cell) return;
    this.events.point(cell.run);
    this.tip.textContent = this.events.describe(cell.run, cell.task);
    const box = this.plot.getBoundingClientRect();
    const x = event.clientX - box.left;
    this.tip.style.left = `${x > box.width / 2 ? x - this.tip.offsetWidth - 14 : x + 14}px`;
    this.tip.style.top = `${event.clientY - box.top + 12}px`;
  }

  /** Move the crosshair to a run; null: hide it. */
  pointAt(run) {
    const [first, last] = this.view.range;
    this.line.hidden = run === null || run < first || run > last;
    if (!this.line.hidden) this.line.style.left = `${((run - first + 0.5) / (last - first + 1)) * 100}%`;
  }

  /** @returns {HTMLCanvasElement|null} with names and legend, twice the screen's resolution; null: no task shown. */
  canvas() {
    const { rows, names, left } = this.view;
    if (rows.length === 0) return null;
    const width = left + this.plot.clientWidth;
    const height = rows.length * ROW;
    const made = element("canvas", { width: 2 * width, height: 2 * (height + LEGEND_HEIGHT) });
    const context = made.getContext("2d");
    context.scale(2, 2);
    context.drawImage(this.surface, left, 0, this.plot.clientWidth, height);
    Object.assign(context, {
      font: "12px system-ui, sans-serif",
      fillStyle: this.colours.text,
      textBaseline: "middle",
    });
    rows.forEach((task, row) => context.fillText(cut(context, names[task], left - 10), 0, row * ROW + ROW / 2 - 1));
    this.#writeLegend(context, width, height + LEGEND_HEIGHT / 2);
    return made;
  }

  /** Write the legend right-aligned, as on the screen. */
  #writeLegend(context, right, middle) {
    let x = right;
    for (const [colour, text, high] of this.#legend().reverse()) {
      x -= context.measureText(text).width;
      context.fillStyle = this.colours.muted;
      context.fillText(text, x, middle);
      context.fillStyle = colour;
      context.fillRect(x - 18, middle - high / 2, 12, high);
      x -= 34;
    }
  }
}

/** Shorten a text that is wider than ``room``, with an ellipsis at its end. */
function cut(context, text, room) {
  const fits = (length) => context.measureText(`${text.slice(0, length)}…`).width <= room;
  if (context.measureText(text).width <= room) return text;
  let length = text.length;
  while (length > 1 && !fits(length)) length -= 1;
  return `${text.slice(0, length)}…`;
}

function swatch([colour, text, high]) {
  return element(
    "span",
    {},
    element("i", { class: high < 12 ? "swatch low" : "swatch", style: { background: colour } }),
    text,
  );
}
