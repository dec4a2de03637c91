/** The upper chart: time per run, every try stacked. This module decides what ECharts draws. */

import { axisLabel, axisStep, duration, logLines, logRange, moment } from "./units.js";

/** Pixels right of the plot. The tries map below uses the same, so that a run is at the same place in both charts. */
export const MARGIN = { right: 18 };
const MOST_PATTERNED = 200; // with more runs, the bars are too narrow for a pattern
const NOTHING = 1e-9; // seconds: a logarithmic axis has no 0, and ECharts does not draw a bar on top of a bar without a place
const MARKERS = {
  manual: "circle",
  backfill: "rect",
  asset_triggered: "diamond",
  dataset_triggered: "diamond",
  operator_triggered: "roundRect",
  asset_materialization: "arrow",
};

/**
 * @param {object} view ``payload``, ``stack``, ``totals``, ``median``, ``range``, ``late``, ``shifts``, ``sla``,
 *   ``log``, ``local``, ``left`` (pixels).
 * @param {object} colours from ``palette()``.
 */
export function chartOption(view, colours) {
  const { payload, median, range } = view;
  const lines = { axisLine: { lineStyle: { color: colours.line } }, axisTick: { show: false } };
  const label = { color: colours.muted, fontSize: 12 };
  const at = payload.runs.run_after.map((epoch) => moment(epoch, !view.local).replace(" ", "\n"));
  return {
    animation: false,
    textStyle: { fontFamily: "Inter, system-ui, sans-serif" },
    grid: { left: view.left, right: MARGIN.right, top: 44, bottom: 74 },
    legend: {
      selectedMode: false, // the controls choose what is stacked: so the choice is in the address and in the file
      type: "scroll",
      top: 4,
      left: view.left,
      right: MARGIN.right,
      itemWidth: 14,
      itemHeight: 11,
      itemGap: 14,
      textStyle: { color: colours.text },
      inactiveColor: colours.line,
      pageTextStyle: { color: colours.muted },
      pageIconColor: colours.muted,
      pageIconInactiveColor: colours.line,
    },
    tooltip: {
      trigger: "axis",
      confine: true,
      transitionDuration: 0,
      className: "tip",
      formatter: view.tooltip,
      backgroundColor: colours.surface,
      borderColor: colours.line,
      textStyle: { color: colours.text, fontSize: 12 },
      axisPointer: { type: "line", lineStyle: { color: colours.text, type: "solid", opacity: 0.6 } },
    },
    xAxis: { type: "category", data: at, ...lines, axisLabel: { ...label, hideOverlap: true, lineHeight: 15 } },
    yAxis: [
      {
        ...valueAxis(view),
        axisLabel: { ...label, formatter: (value) => valueLabel(view, value), ...logLabels(view) },
        axisTick: { show: false, ...logLabels(view) },
        splitLine: { lineStyle: { color: colours.line } },
      },
      { type: "value", min: 0, max: 1, show: false },
    ],
    dataZoom: [
      {
        type: "inside",
        throttle: 0,
        zoomOnMouseWheel: "ctrl",
        moveOnMouseWheel: false,
        startValue: range[0],
        endValue: range[1],
      },
      {
        type: "slider",
        show: at.length > 1,
        throttle: 0,
        height: 20,
        bottom: 8,
        startValue: range[0],
        endValue: range[1],
        showDetail: false,
        borderColor: colours.line,
        textStyle: { color: colours.muted },
        fillerColor: "rgba(86,140,200,0.16)",
        dataBackground: {
          lineStyle: { color: colours.muted, opacity: 0.5 },
          areaStyle: { color: colours.muted, opacity: 0.15 },
        },
        selectedDataBackground: {
          lineStyle: { color: colours.muted },
          areaStyle: { color: colours.muted, opacity: 0.25 },
        },
        handleStyle: { color: colours.card, borderColor: colours.muted },
        moveHandleStyle: { color: colours.line },
      },
    ],
    series: [
      ...bars(view, colours),
      {
        id: "median",
        name: "median of 25 runs",
        type: "line",
        data: median,
        showSymbol: false,
        connectNulls: true,
        silent: true,
        lineStyle: { width: 2, color: colours.text },
        itemStyle: { color: colours.text },
        z: 5,
      },
      lineSeries(view, colours),
      ...markers(view, colours),
    ],
  };
}

function bars({ stack, range: [first, last], log }, colours) {
  const shape = { patterned: last - first < MOST_PATTERNED, runs: last - first + 1 };
  return stack.map(({ key, values }) =>
    bar(key, log ? values.map((value) => value || NOTHING) : values, colours.layer(key), shape),
  );
}

function bar(key, data, { name, colour, decal }, { patterned, runs }) {
  return {
    id: key,
    name,
    type: "bar",
    stack: "tries",
    data,
    large: true,
    largeThreshold: 300,
    barMaxWidth: 64,
    barCategoryGap: runs > 300 ? "0%" : "18%",
    cursor: "pointer",
    emphasis: { disabled: true },
    itemStyle: { color: colour, decal: patterned && decal ? decal : { symbol: "none" } },
  };
}

/** Lines for the SLA and the shifts. A click on a shift zooms to it. */
function lineSeries(view, colours) {
  const shifts = view.shifts.map(({ run, label }) => ({
    xAxis: run,
    lineStyle: { color: colours.accent, type: "dashed", width: 2 },
    label: { formatter: label, color: colours.accent, position: "end" },
  }));
  const sla =
    view.sla === null || view.sla > valueAxis(view).max
      ? []
      : [
          {
            yAxis: view.sla,
            lineStyle: { color: colours.late, type: "dotted", width: 2 },
            label: { formatter: `SLA ${duration(view.sla)}`, color: colours.late, position: "insideEndTop" },
          },
        ];
  return {
    id: "lines",
    type: "line",
    data: [],
    markLine: { symbol: "none", animation: false, data: [...sla, ...shifts] },
  };
}

/** Markers above the bars: runs that the schedule did not create, and late runs. */
function markers(view, colours) {
  const { runs } = view.payload;
  const of = (id, name, symbol, colour, found) =>
    found.length === 0
      ? []
      : [
          {
            id,
            name,
            type: "scatter",
            yAxisIndex: 1,
            symbol,
            symbolSize: 9,
            silent: true,
            z: 6,
            itemStyle: { color: colour },
            data: found.map((run) => [run, symbol === "triangle" ? 0.985 : 0.94]),
          },
        ];
  const all = runs.run_id.map((_, run) => run);
  const kinds = Object.entries(MARKERS).flatMap(([type, symbol]) =>
    of(
      type,
      `${type.replace("_", "-")} run`,
      symbol,
      colours.muted,
      all.filter((run) => runs.run_type[run] === type),
    ),
  );
  const missed = all.filter((run) => runs.deadline_missed[run]);
  return [
    ...kinds,
    ...of("deadline", "missed its deadline", "triangle", colours.late, missed),
    ...of("late", "later than its SLA", "triangle", colours.late, view.late),
  ];
}

/** Axis of the seconds. Its lines are at round times, and there is room for the markers above the highest bar. */
function valueAxis(view) {
  const heights = view.totals.slice(view.range[0], view.range[1] + 1).filter((value) => value > 0);
  const most = Math.max(...heights, 0.5);
  if (view.log) return { type: "log", logBase: 10, ...logRange(Math.min(...heights, most), most) };
  const step = axisStep(most * 1.09);
  return { type: "value", min: 0, max: Math.ceil((most * 1.09) / step) * step, interval: step };
}

function logLabels(view) {
  return view.log ? { customValues: logLines(valueAxis(view)) } : {};
}

function valueLabel(view, value) {
  return view.log ? duration(value).replace(".0", "") : axisLabel(value, valueAxis(view).interval);
}

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
      else if (at.seriesType === "bar") events.pick(at.dataIndex, at.seriesId);
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
      this.chart.setOption({ yAxis: [after, {}] }, { lazyUpdate: true });
    if (patterned !== wasPatterned)
      this.chart.setOption({ series: bars(this.view, this.colours) }, { lazyUpdate: true });
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
