/** What ECharts draws in the upper chart: time per run, every try stacked. Pure: no document, no state. */

import { cutBars, cutMarkers } from "./axis_cut.js";
import { axisLabel, axisStep, duration, logLines, logRange, moment } from "./units.js";

/** Pixels right of the plot. The tries map below uses the same, so that a run is at the same place in both charts. */
export const MARGIN = { right: 18 };
export const MOST_PATTERNED = 200; // with more runs, the bars are too narrow for a pattern
const STRIP = 0.03; // share of the plot's height for the states of the runs
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
 * @param {object} view ``payload``, ``stack``, ``totals``, ``median``, ``range``, ``late``, ``shifts``,
 *   ``layer`` (name, colour and pattern of a layer), ``lines`` (the layers are lines), ``log``, ``whole`` (no bar is cut), ``local``, ``left`` (pixels).
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
    xAxis: [
      { type: "category", data: at, ...lines, axisLabel: { ...label, hideOverlap: true, lineHeight: 15 } },
      { type: "category", data: at, show: false, axisPointer: { show: false } },
    ],
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
        xAxisIndex: [0, 1],
        throttle: 0,
        zoomOnMouseWheel: "ctrl",
        moveOnMouseWheel: false,
        startValue: range[0],
        endValue: range[1],
      },
      {
        type: "slider",
        xAxisIndex: [0, 1],
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
      ...bars(view),
      {
        id: "median",
        name: "median of 25 runs",
        type: "line",
        data: view.lines ? [] : median,
        showSymbol: false,
        connectNulls: true,
        silent: true,
        lineStyle: { width: 2, color: colours.text },
        itemStyle: { color: colours.text },
        z: 5,
      },
      lineSeries(view, colours),
      ...states(view, colours),
      ...markers(view, colours),
      cutMarkers(view, colours),
    ],
  };
}

export function bars({ stack, range: [first, last], log, lines, layer }) {
  if (lines) return stack.map(({ key, values }) => taskLine(key, values, layer(key)));
  const shape = { patterned: last - first < MOST_PATTERNED, runs: last - first + 1 };
  return stack.map(({ key, values }) =>
    bar(key, log ? values.map((value) => value || NOTHING) : values, layer(key), shape),
  );
}

/** A line for a task; runs in which it did not start are gaps. */
function taskLine(key, values, { name, colour }) {
  const data = values.map((value) => value || null);
  const style = { lineStyle: { width: 1.5, color: colour }, itemStyle: { color: colour } };
  return { id: key, name, type: "line", data, symbolSize: 4, showAllSymbol: "auto", triggerLineEvent: true, ...style };
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

/**
 * A strip of the runs' states above the bars, and a band behind the bars of each failed run: which runs failed is to be
 * seen at once.
 */
function states(view, colours) {
  const { state } = view.payload.runs;
  const band = (id, height, colour, found, z) => ({
    id,
    type: "bar",
    yAxisIndex: 1,
    stack: "states",
    silent: true,
    xAxisIndex: 1, // an axis of their own: bars of one axis share its width
    barWidth: "100%",
    emphasis: { disabled: true },
    tooltip: { show: false },
    itemStyle: { color: colour },
    data: state.map((name) => (found(name) ? height : null)),
    z,
  });
  const failed = (name) => name === "failed";
  const strip = [...new Set(state)].map((one) =>
    band(`state_${one}`, STRIP, colours.state(one), (name) => name === one, 1),
  );
  return [
    band("failed_runs", 1 - STRIP, `${colours.failed}1c`, failed, 1),
    band("other_runs", 1 - STRIP, "transparent", (name) => !failed(name), 1),
    ...strip,
  ];
}

/** Lines for the shifts. A click on one zooms to it. */
function lineSeries(view, colours) {
  const shifts = view.shifts.map(({ run, label }) => ({
    xAxis: run,
    lineStyle: { color: colours.accent, type: "dashed", width: 2 },
    label: { formatter: label, color: colours.accent, position: "end" },
  }));
  return {
    id: "lines",
    type: "line",
    data: [],
    markLine: { symbol: "none", animation: false, data: shifts },
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
            data: found.map((run) => [run, symbol === "triangle" ? 0.94 : 0.9]),
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
export function valueAxis(view) {
  const heights = view.totals.slice(view.range[0], view.range[1] + 1).filter((value) => value > 0);
  const most = cutBars(view).limit ?? Math.max(...heights, 0.5);
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
