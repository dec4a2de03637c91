/** Keys over runs: what each run found about each key. A plain canvas draws thousands of cells in milliseconds. */

import { cellText, keyName } from "./check_rows.js";
import { element } from "./dom.js";
import { counted } from "./units.js";
import { visible } from "./visible.js";

const ROW = 22; // pixels
const GAP = 2;
const FIRST_KEYS = 25; // drawn at once; the others when the reader asks for them
const SIGN_FROM = 11; // pixels that a cell needs for a sign
const WIDEST = 44; // pixels of a cell, so that a few runs do not become a flag

/** How a cell looks: text of the legend, sign, colour of the cell and of the sign, light and dark theme. */
const KINDS = {
  lost_most: ["lost 10 % or more", "▼", ["#8c1c3f", "#ffffff"], ["#ff8f6b", "#2a0d05"]],
  lost: ["lost less", "▼", ["#e08a4f", "#2a1204"], ["#9c4a1f", "#ffffff"]],
  gained_most: ["gained 10 % or more", "▲", ["#08519c", "#ffffff"], ["#8cc4ff", "#04203c"]],
  gained: ["gained less", "▲", ["#7fb5e0", "#06223d"], ["#2a5c8a", "#ffffff"]],
  warned: ["warning", "!", ["#f3dc9a", "#3a2c00"], ["#6b5711", "#fff3c8"]],
  silent: ["nothing counted", "○", ["#4a4a4a", "#ffffff"], ["#c9c9c9", "#1b1b1b"]],
  recovered: ["recovered", "✓", ["#b5e3d3", "#04402f"], ["#1c5a48", "#d8fff2"]],
  fine: ["ok", "", ["#e6ebf0", "#182230"], ["#2b3648", "#e7edf4"]],
};

/** Name of the kind of a cell. Pure. */
export function kindOf({ severity, difference, percent }) {
  if (severity === "none") return "fine";
  if (severity === "recovered") return "recovered";
  if (difference === 0) return "silent";
  if (severity === "warn") return "warned";
  return `${difference > 0 ? "lost" : "gained"}${percent === null || Math.abs(percent) >= 10 ? "_most" : ""}`;
}

export class HeatMap {
  /** @param {object} events ``pick(run)``: a cell was clicked; ``key(key)``: a name was. */
  constructor(events) {
    this.events = events;
    this.all = false;
    this.names = element("div", { class: "map-names" });
    this.surface = element("canvas", { role: "img" });
    this.line = element("div", { class: "map-line", hidden: true });
    this.tip = element("div", { class: "tip map-tip", hidden: true });
    this.plot = element("div", { class: "map-plot" }, this.surface, this.line, this.tip);
    this.legend = element("div", { class: "map-legend" });
    this.more = element("button", { type: "button", "data-control": "more-map", on: { click: () => this.#showAll() } });
    this.node = element(
      "div",
      {},
      element("div", { class: "map-scroll" }, this.names, this.plot),
      this.legend,
      this.more,
    );
    this.plot.addEventListener("pointermove", (event) => this.#hover(event));
    this.plot.addEventListener("pointerleave", () => {
      this.tip.hidden = true;
    });
    this.plot.addEventListener("click", (event) => {
      const at = this.#at(event);
      if (at) this.events.pick(at.run);
    });
  }

  /**
   * @param {object} view ``cells`` (rows, the worst of a key first), ``keys``: texts, ``chosen``: the only key that is
   *   shown, or null; ``windows``: text of each run; ``marked``: index of the run whose keys are listed, or -1; ``dark``; ``left``:
   *   pixels of the names.
   */
  draw(view) {
    this.view = view;
    this.names.style.width = `${view.left}px`;
    const every = view.keys
      .map((key, place) => ({ key, place }))
      .filter(({ key }) => view.chosen === null || key === view.chosen);
    this.rows = this.all ? every : every.slice(0, FIRST_KEYS);
    this.found = new Map();
    for (const cell of view.cells) {
      const at = cell.key * view.windows.length + cell.run;
      if (!this.found.has(at)) this.found.set(at, cell);
    }
    this.names.replaceChildren(
      ...this.rows.map(({ key }) =>
        element(
          "button",
          {
            type: "button",
            "data-key": `map-${key}`,
            class: key === view.chosen ? "selected" : null,
            title: keyName(key).slice(0, 300),
            "aria-pressed": String(key === view.chosen),
            on: { click: () => this.events.key(key === view.chosen ? null : key) },
          },
          keyName(key).slice(0, 60),
        ),
      ),
    );
    this.surface.setAttribute(
      "aria-label",
      `What each of ${counted(view.windows.length, "run", "runs")} found about ${counted(this.rows.length, "key", "keys")}. The list of a run's keys has all of it.`,
    );
    const kinds = new Set([...this.found.values()].map(kindOf));
    this.legend.replaceChildren(
      ...Object.keys(KINDS)
        .filter((kind) => kinds.has(kind))
        .map((kind) => this.#entry(kind)),
    );
    this.more.hidden = this.rows.length === every.length;
    this.more.textContent = `Show all ${counted(every.length, "key", "keys")}`;
    this.#paint();
  }

  #entry(kind) {
    const [text, sign] = KINDS[kind];
    const [colour] = this.#colours(kind);
    return element(
      "span",
      {},
      element("i", { class: "swatch", style: { background: colour } }),
      sign ? `${sign} ${text}` : text,
    );
  }

  #colours(kind) {
    return KINDS[kind][this.view.dark ? 3 : 2];
  }

  #showAll() {
    this.all = true;
    this.draw(this.view);
  }

  /** Pixels of a run. */
  get #step() {
    return Math.min(WIDEST, Math.max(1, this.plot.clientWidth) / this.view.windows.length);
  }

  #paint() {
    const { windows } = this.view;
    const width = Math.max(1, this.plot.clientWidth);
    const height = Math.max(1, this.rows.length * ROW);
    const scale = window.devicePixelRatio || 1;
    this.surface.width = width * scale;
    this.surface.height = height * scale;
    this.surface.style.height = `${height}px`;
    const context = this.surface.getContext("2d");
    context.scale(scale, scale);
    Object.assign(context, { font: "11px system-ui, sans-serif", textAlign: "center", textBaseline: "middle" });
    const step = this.#step;
    const space = step > 5 ? 1 : 0;
    this.rows.forEach(({ place }, row) => {
      for (let run = 0; run < windows.length; run += 1) {
        const cell = this.found.get(place * windows.length + run);
        if (!cell) continue;
        const kind = kindOf(cell);
        const [colour, ink] = this.#colours(kind);
        // a guilty cell stays visible where a run is narrower than a pixel
        const wide = Math.max(step - space, kind === "fine" ? 0.6 : 1.5);
        context.fillStyle = colour;
        context.fillRect(run * step, row * ROW, wide, ROW - GAP);
        if (step < SIGN_FROM) continue;
        context.fillStyle = ink;
        context.fillText(KINDS[kind][1], run * step + wide / 2, row * ROW + (ROW - GAP) / 2);
      }
    });
    this.#mark();
  }

  /** Show a line at the run whose keys are listed. */
  #mark() {
    const { marked } = this.view;
    this.line.hidden = marked < 0;
    this.line.style.left = `${(marked + 0.5) * this.#step}px`;
  }

  #at({ clientX, clientY }) {
    const box = this.surface.getBoundingClientRect();
    const run = Math.floor((clientX - box.left) / this.#step);
    const row = this.rows[Math.floor((clientY - box.top) / ROW)];
    return run >= 0 && run < this.view.windows.length && row ? { run, row } : null;
  }

  #hover(event) {
    const at = this.#at(event);
    this.tip.hidden = !at;
    if (!at) return;
    const cell = this.found.get(at.row.place * this.view.windows.length + at.run);
    const lines = [
      keyName(at.row.key).slice(0, 80),
      visible(this.view.windows[at.run]).slice(0, 80),
      cell ? cellText(cell) : "not stored: neither wrong nor one of the largest",
    ];
    this.tip.textContent = lines.join("\n");
    const box = this.plot.getBoundingClientRect();
    const x = event.clientX - box.left;
    this.tip.style.left = `${x > box.width / 2 ? x - this.tip.offsetWidth - 14 : x + 14}px`;
    this.tip.style.top = `${event.clientY - box.top + 12}px`;
  }
}
