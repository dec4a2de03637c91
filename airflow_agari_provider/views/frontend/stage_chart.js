/** The totals of each stage over the runs, with the usual volume. What it shows is decided in stage_option.js. */

import { element } from "./dom.js";
import { stageOption } from "./stage_option.js";
import { count } from "./units.js";
import { visible } from "./visible.js";

export class StageChart {
  /** @param {(run: number) => void} pick called with the index of a run. */
  constructor(pick) {
    this.node = element("div", { class: "duration", role: "img" });
    this.pick = pick;
    this.chart = null;
  }

  /** @param {object} view ``answer``, ``dark``, ``left``: pixels left of the plot. */
  draw(view, colours) {
    this.answer = view.answer;
    this.node.setAttribute("aria-label", this.#words());
    if (this.chart === null) {
      this.chart = window.echarts.init(this.node);
      this.chart.on("click", ({ dataIndex, componentType, data }) =>
        this.pick(componentType === "markPoint" ? data.coord[0] : dataIndex),
      );
    }
    if (this.chart.getWidth() !== this.node.clientWidth) this.chart.resize();
    this.chart.setOption(stageOption({ ...view, tooltip: (run) => this.#tooltip(run) }, colours), true);
  }

  #words() {
    const { runs, stages, totals } = this.answer;
    const last = stages.map((stage, place) => `${visible(stage)} ${count(totals[place].at(-1))}`);
    return `Messages at each stage over ${runs.run_id.length} runs; in the newest: ${last.join(", ")}. The table below has all numbers.`;
  }

  #tooltip(run) {
    if (run === undefined) return element("div", {});
    const { band, runs, stages, totals } = this.answer;
    const line = (name, value) =>
      element("div", { class: "tip-line" }, element("span", {}, name), element("b", {}, value));
    const usual =
      band.low[run] === null || band.low[run] === undefined
        ? []
        : [
            line(
              `usual ${visible(band.stage)}`,
              `${count(Math.round(band.low[run]))} to ${count(Math.round(band.high[run]))}`,
            ),
          ];
    const step = runs.bad_stage[run];
    return element(
      "div",
      {},
      element("b", {}, visible(runs.window[run])),
      element("div", { class: "muted" }, visible(runs.verdict[run])),
      ...stages.map((stage, place) => line(visible(stage), count(totals[place][run]))),
      ...usual,
      step === null ? null : line("first bad stage", `${visible(runs.good_stage[run])} → ${visible(step)}`),
    );
  }

  close() {
    this.chart?.dispose();
    this.chart = null;
  }
}
