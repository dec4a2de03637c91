// @ts-check
/** What ECharts draws of the stages over the runs. Pure: no document, no state. */

import { count } from "./units.js";
import { visible } from "./visible.js";

/** Hues of Okabe and Ito, light and dark theme; line and symbol repeat what the colour says. */
const STAGES = [
  ["#0072b2", "#3a9ad9", "solid", "circle"],
  ["#d55e00", "#e0690a", "dashed", "rect"],
  ["#009e73", "#12a67c", "dotted", "triangle"],
  ["#a8437d", "#d48bb4", "solid", "diamond"],
  ["#8a6d00", "#eeb23a", "dashed", "roundRect"],
  ["#5b6b7e", "#9babbd", "dotted", "pin"],
];
const MOST_MARKED = 120; // with more runs, symbols hide the lines
const SIGNS = { "high discrepancies": "✕", warning: "!" };

/**
 * @param {any} view ``answer``, ``dark``, ``left`` (pixels), ``tooltip(run)``.
 * @param {any} colours from ``palette()``.
 */
export function stageOption({ answer, dark, left, tooltip }, colours) {
  const { band, runs, stages, totals } = answer;
  const label = { color: colours.muted, fontSize: 12 };
  const line = { lineStyle: { color: colours.line } };
  const marked = runs.run_id.length <= MOST_MARKED;
  return {
    animation: false,
    textStyle: { fontFamily: "Inter, system-ui, sans-serif" },
    grid: { left, right: 18, top: 44, bottom: 46 },
    legend: {
      selectedMode: false,
      type: "scroll",
      top: 4,
      left: 10,
      right: 18,
      textStyle: { color: colours.text },
      pageTextStyle: { color: colours.muted },
      data: [...stages.map(visible), ...(known(band) ? [{ name: BAND, icon: "rect" }] : [])],
    },
    tooltip: {
      trigger: "axis",
      confine: true,
      transitionDuration: 0,
      className: "tip",
      formatter: ([point]) => tooltip(point?.dataIndex),
      backgroundColor: colours.surface,
      borderColor: colours.line,
      textStyle: { color: colours.text, fontSize: 12 },
      axisPointer: { type: "line", lineStyle: { color: colours.text, type: "solid", opacity: 0.6 } },
    },
    xAxis: {
      type: "category",
      data: runs.run_at.map((at) => at.slice(0, 16).replace(" ", "\n")),
      boundaryGap: true,
      axisLine: line,
      axisTick: { show: false },
      axisLabel: { ...label, hideOverlap: true, lineHeight: 15 },
    },
    yAxis: {
      type: "value",
      min: 0,
      axisLabel: { ...label, formatter: (value) => count(value) },
      splitLine: line,
    },
    series: [...bandSeries(band, colours), ...stages.map((stage, place) => stageSeries(stage, place))],
  };

  function stageSeries(stage, place) {
    const [light, darker, type, symbol] = STAGES[place % STAGES.length];
    const color = dark ? darker : light;
    return {
      id: `stage-${place}`,
      name: visible(stage),
      type: "line",
      data: totals[place],
      connectNulls: false,
      symbol,
      symbolSize: marked ? 6 : 0,
      showAllSymbol: marked,
      itemStyle: { color },
      lineStyle: { color, type, width: 2 },
      // the last stage says which runs are bad
      markPoint:
        place === stages.length - 1
          ? {
              symbol: "circle",
              symbolSize: 16,
              itemStyle: { color: colours.failed },
              label: { color: colours.surface, fontSize: 11, formatter: ({ name }) => name },
              data: badPoints(totals[place]),
            }
          : undefined,
    };
  }

  function badPoints(values) {
    return runs.verdict.flatMap((verdict, run) =>
      SIGNS[verdict] && values[run] !== null
        ? [
            {
              name: SIGNS[verdict],
              coord: [run, values[run]],
              itemStyle: { color: verdict === "warning" ? colours.muted : colours.failed },
            },
          ]
        : [],
    );
  }
}

const BAND = "usual volume";

function known({ low }) {
  return low.some((value) => value !== null);
}

/** Two stacked areas: up to the band's lower end, which is not seen, and the band. */
function bandSeries({ low, high }, colours) {
  if (!known({ low })) return [];
  const usual = {
    type: "line",
    stack: "band",
    symbol: "none",
    silent: true,
    lineStyle: { opacity: 0 },
    tooltip: { show: false },
  };
  return [
    { ...usual, id: "below", name: "below", data: low },
    {
      ...usual,
      id: "band",
      name: BAND,
      data: high.map((value, run) => (value === null ? null : value - low[run])),
      itemStyle: { color: colours.muted },
      areaStyle: { color: colours.muted, opacity: 0.22 },
    },
  ];
}
