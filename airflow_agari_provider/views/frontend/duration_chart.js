/** The upper chart: time per run, every try stacked. What it shows is decided in duration_option.js. */

import { cutMarkers } from "./axis_cut.js";
import { bars, chartOption, MOST_PATTERNED, valueAxis } from "./duration_option.js";

/** ECharts, reduced to the few functions that the page uses. */
export class DurationChart {
  /** @param {object} events ``pick(run, layer)``, ``zoom(range)``, ``point(run)``, ``shift(run)``. */
  constructor(container, events) {
    this.container = container;
    this.chart = window.echarts.init(container);
    this.events = events;
    this.inputAt = 0;
    this.zoomed = false;
    this.#listen();
  }

  #listen() {
    const { chart, events } = this;
    for (const event of ["wheel", "pointermove", "pointerdown"])
      this.container.addEventListener(
        event,
        () => {
          this.inputAt = performance.now();
        },
        { capture: true },
      );
    chart.on("click", (at) => {
      if (at.componentType === "markLine" && at.data.xAxis !== undefined) events.shift(at.data.xAxis);
      else if (at.seriesType === "bar" || at.seriesId?.includes(":")) events.pick(at.dataIndex, at.seriesId);
    });
    chart.getZr().on("click", ({ target, offsetX, offsetY }) => {
      if (!target && chart.containPixel("grid", [offsetX, offsetY])) events.pick(this.#runAt(offsetX), null);
    });
    chart.on("datazoom", () => {
      this.zoomed = true;
      const { startValue, endValue } = chart.getOption().dataZoom[0];
      this.#rescale([startValue, endValue]);
      events.zoom(this.view.range);
    });
    chart.on("rendered", () => {
      if (this.zoomed) performance.measure("agari-zoom", { start: this.inputAt, end: performance.now() });
      this.zoomed = false;
    });
    chart.on("updateAxisPointer", ({ axesInfo }) => events.point(axesInfo?.length ? axesInfo[0].value : null));
    chart.on("globalout", () => events.point(null));
  }

  #runAt(x) {
    return this.chart.convertFromPixel({ xAxisIndex: 0 }, x);
  }

  draw(view, colours) {
    this.view = view;
    this.colours = colours;
    if (this.chart.getWidth() !== this.container.clientWidth) this.chart.resize();
    this.chart.setOption(chartOption(view, colours), true);
  }

  /** Adapt to the range that is shown now: axis lines at round times, and patterns where the bars are wide enough. */
  #rescale(range) {
    const before = valueAxis(this.view);
    const wasPatterned = this.view.range[1] - this.view.range[0] < MOST_PATTERNED;
    this.view.range = range;
    const after = valueAxis(this.view);
    const patterned = range[1] - range[0] < MOST_PATTERNED;
    if (before.max !== after.max || before.min !== after.min)
      this.chart.setOption({ yAxis: [after, {}], series: [cutMarkers(this.view, this.colours)] }, { lazyUpdate: true });
    if (patterned !== wasPatterned) this.chart.setOption({ series: bars(this.view) }, { lazyUpdate: true });
  }

  zoomTo([startValue, endValue]) {
    this.inputAt = performance.now();
    this.chart.dispatchAction({
      type: "dataZoom",
      batch: [
        { dataZoomIndex: 0, startValue, endValue },
        { dataZoomIndex: 1, startValue, endValue },
      ],
    });
  }

  /** Show the crosshair at a run, as if the mouse were there; null: hide it. */
  pointAt(run) {
    if (run === null) {
      this.chart.dispatchAction({ type: "hideTip" });
      return;
    }
    const x = this.chart.convertToPixel({ xAxisIndex: 0 }, run);
    this.chart.dispatchAction({ type: "showTip", x, y: 60 });
  }

  /** Paint now what the browser would otherwise paint in its next frame. */
  paint() {
    this.chart.getZr().flush();
  }

  close() {
    this.chart.dispose();
  }

  /** @returns {HTMLCanvasElement} at twice the screen's resolution. */
  canvas() {
    return this.chart.renderToCanvas({ pixelRatio: 2, backgroundColor: this.colours.surface });
  }
}
