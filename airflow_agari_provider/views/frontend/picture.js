// @ts-check
/** Put charts together as one picture. */

import { element } from "./dom.js";

const SCALE = 2; // the charts have twice the resolution of the screen
const HEAD = 64;
const MARGIN = 20;

/** @param {HTMLCanvasElement[]} charts drawn one below the other. */
export function picture(title, subtitle, charts, colours) {
  const width = Math.max(...charts.map((chart) => chart.width)) + 2 * MARGIN * SCALE;
  const height = charts.reduce((sum, chart) => sum + chart.height + MARGIN * SCALE, HEAD * SCALE);
  const made = element("canvas", { width, height });
  const context = made.getContext("2d");
  context.fillStyle = colours.surface;
  context.fillRect(0, 0, width, height);
  write(context, `600 ${18 * SCALE}px system-ui, sans-serif`, colours.text, title, 30);
  write(context, `${13 * SCALE}px system-ui, sans-serif`, colours.muted, subtitle, 52);
  let top = HEAD * SCALE;
  for (const chart of charts) {
    context.drawImage(chart, MARGIN * SCALE, top);
    top += chart.height + MARGIN * SCALE;
  }
  return made;
}

function write(context, font, fillStyle, text, baseline) {
  Object.assign(context, { font, fillStyle });
  context.fillText(text, MARGIN * SCALE, baseline * SCALE);
}
