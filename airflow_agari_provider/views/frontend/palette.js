// @ts-check
/**
 * Colours, names and patterns. Pure: no document, no state.
 *
 * The hues are those of Okabe and Ito (2008): people with any of the common colour blindnesses can tell them apart.
 * Failed tries also get darker with each try, and patterns repeat what the colour says.
 */

const STRIPES = {
  symbol: "rect",
  dashArrayX: [1, 0],
  dashArrayY: [3, 4],
  rotation: -Math.PI / 4,
  color: "rgba(0,0,0,0.28)",
};
const CROSSED = {
  ...STRIPES,
  dashArrayX: [
    [2, 4],
    [0, 3, 3, 0],
  ],
  dashArrayY: [2, 2],
  rotation: 0,
  color: "rgba(255,255,255,0.5)",
};
const DOTS = {
  symbol: "circle",
  dashArrayX: [
    [5, 5],
    [0, 5, 5, 0],
  ],
  dashArrayY: [4, 0],
  symbolSize: 0.6,
  color: "rgba(0,0,0,0.3)",
};
const LINES = { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [1, 4], color: "rgba(0,0,0,0.35)" };

/** Each layer: name, colour in the light theme, colour in the dark theme, pattern. */
export const LAYERS = {
  success: ["successful try", "#009e73", "#12a67c", null],
  superseded: ["earlier success, cleared", "#7ccbb3", "#58907f", STRIPES],
  skipped: ["skipped", "#b6bec8", "#566270", null],
  removed: ["removed task", "#98a2ae", "#6d7986", LINES],
  failed_first: ["failed first try", "#e9a820", "#eeb23a", null],
  failed_second: ["failed second try", "#d55e00", "#e0690a", STRIPES],
  failed_later: ["failed third try and later", "#8c1c3f", "#c23a66", CROSSED],
  failed_for_good: ["failed for good", "#d0021b", "#ff5a5f", CROSSED],
  running: ["running", "#0072b2", "#3a9ad9", null],
  deferred: ["deferred now", "#56b4e9", "#7cc8f2", DOTS],
  wait_deferred: ["deferred", "#cc79a7", "#d48bb4", LINES],
  wait_queued: ["queued", "#8a97a8", "#7f8da0", DOTS],
  wait_idle: ["waiting between tries", "#d5dbe2", "#3f4b59", STRIPES],
};

/** Names and colours of the cells of the tries map, indexed by CELL; 0 is never painted. */
export const CELLS = {
  names: ["", "skipped", "1 try", "2 tries", "3 tries", "4 tries or more", "running"],
  light: ["", "#dfe3e8", "#c4e8dc", "#e9a820", "#d55e00", "#8c1c3f", "#0072b2"],
  dark: ["", "#333d48", "#1c4a3d", "#eeb23a", "#e0690a", "#d2557f", "#3a9ad9"],
};

/** Colours of tasks: light theme, dark theme. The last one is for the tasks that are summed. */
const TASKS = [
  ["#0072b2", "#3a9ad9"],
  ["#e69f00", "#eeb23a"],
  ["#009e73", "#12a67c"],
  ["#cc79a7", "#d48bb4"],
  ["#56b4e9", "#7cc8f2"],
  ["#d55e00", "#e0690a"],
  ["#8a6d00", "#c9b04a"],
  ["#6a4c93", "#a58bd1"],
  ["#7ccbb3", "#58907f"],
  ["#8c1c3f", "#c23a66"],
  ["#b5a642", "#8f8a3c"],
  ["#98a2ae", "#6d7986"],
];

const LIGHT = {
  text: "#182230",
  muted: "#5b6b7e",
  line: "#dce2e9",
  surface: "#ffffff",
  card: "#f5f7f9",
  accent: "#0b63b0",
  late: "#b3003b",
  failed: "#d0021b",
  blocked: "#f3b8bd",
};
const DARK = {
  text: "#e7edf4",
  muted: "#9babbd",
  line: "#323c4f",
  surface: "#161d2d",
  card: "#1f2738",
  accent: "#7cc0ff",
  late: "#ff7da3",
  failed: "#ff5a5f",
  blocked: "#6b3540",
};

/** Colours of the states of runs, as in ``page.css``. */
const STATES = {
  success: ["#009e73", "#12a67c"],
  failed: ["#d0021b", "#ff5a5f"],
  running: ["#0072b2", "#3a9ad9"],
  queued: ["#8a97a8", "#7f8da0"],
};

/** Everything a chart needs for a theme. */
export function palette(dark) {
  return {
    ...(dark ? DARK : LIGHT),
    state: (name) => STATES[name]?.[dark ? 1 : 0] ?? "transparent",
    cells: dark ? CELLS.dark : CELLS.light,
    task: (at, others) => TASKS[others ? TASKS.length - 1 : at % TASKS.length][dark ? 1 : 0],
    layer: (key) => ({ name: LAYERS[key][0], colour: LAYERS[key][dark ? 2 : 1], decal: LAYERS[key][3] }),
  };
}
