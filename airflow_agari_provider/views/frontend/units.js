// @ts-check
/** Format numbers and moments for people. No document; the only state is the reader's time zone. */

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** Distances between axis lines, in seconds, that are round in clock time. */
const STEPS = [
  0.1,
  0.2,
  0.5,
  1,
  2,
  5,
  10,
  15,
  30,
  1 * MINUTE,
  2 * MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  15 * MINUTE,
  30 * MINUTE,
  1 * HOUR,
  2 * HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  1 * DAY,
  2 * DAY,
  5 * DAY,
  10 * DAY,
  20 * DAY,
  50 * DAY,
  100 * DAY,
];

const counts = new Intl.NumberFormat("en-US");
const decimals = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

/** Seconds in the unit that suits their size: "0.4 s", "95 s", "4.1 min", "73.9 h"; a dash if unknown. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 9.95) return `${decimals.format(seconds)} s`;
  if (seconds < 119.5) return `${counts.format(Math.round(seconds))} s`;
  if (seconds < 2 * HOUR) return `${decimals.format(seconds / MINUTE)} min`;
  return `${decimals.format(seconds / HOUR)} h`;
}

/** A whole number with thousands separators; a dash if unknown. */
export function count(value) {
  return value === null || value === undefined ? "–" : counts.format(value);
}

/** A share of one as a percentage: 0.168 is "16.8 %"; a dash if unknown. */
export function percent(share) {
  return share === null || share === undefined || !Number.isFinite(share) ? "–" : `${decimals.format(100 * share)} %`;
}

/** A difference in percent with its sign: 12.34 is "+12 %", 0.2 is "±0 %"; a dash if unknown. */
export function change(percentage) {
  if (percentage === null || percentage === undefined || !Number.isFinite(percentage)) return "–";
  const whole = Math.round(percentage);
  if (whole === 0) return "±0 %";
  return `${whole > 0 ? "+" : "−"}${counts.format(Math.abs(whole))} %`;
}

/** Difference in percent from one figure to the next; null if there is no earlier figure or it is 0. */
export function changeBetween(before, after) {
  return before > 0 && after !== null && after !== undefined ? (100 * (after - before)) / before : null;
}

/** Distance of axis lines for values up to ``most``: the smallest round distance that needs at most ``lines`` lines. */
export function axisStep(most, lines = 5) {
  return STEPS.find((step) => most <= step * lines) ?? Math.ceil(most / lines / (100 * DAY)) * 100 * DAY;
}

/** Label of an axis line. All labels of an axis have one unit: that of the step. */
export function axisLabel(seconds, step) {
  if (seconds === 0) return "0";
  if (step < MINUTE) return `${Number(seconds.toFixed(1))} s`;
  if (step < HOUR) return `${Math.round(seconds / MINUTE)} min`;
  if (step < DAY) return `${Math.round(seconds / HOUR)} h`;
  return `${Math.round(seconds / DAY)} d`;
}

const LOG_LINES = [
  0.1,
  0.5,
  1,
  5,
  10,
  30,
  MINUTE,
  3 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  3 * HOUR,
  10 * HOUR,
  30 * HOUR,
  100 * HOUR,
  300 * HOUR,
  1000 * HOUR,
  10_000 * HOUR,
];

/** Ends of a logarithmic axis: round times around the values. */
export function logRange(least, most) {
  return {
    min: LOG_LINES.findLast((line) => line <= least / 2) ?? LOG_LINES[0],
    max: LOG_LINES.find((line) => line >= most * 1.09) ?? most * 2,
  };
}

/** Positions of the lines of a logarithmic axis, in seconds. */
export function logLines({ min, max }) {
  return LOG_LINES.filter((line) => line >= min && line <= max);
}

/** @type {{name: string, format: Intl.DateTimeFormat}|null} null: the browser's own time zone. */
let local = null;

/** Set the time zone of moments that are not in UTC. @param {string|null} name such as Europe/Berlin; null: the browser's. */
export function setLocalZone(name) {
  if (name === (local?.name ?? null)) return;
  const parts = { year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" };
  // the Swedish way of writing is ISO 8601
  local = name && {
    name,
    format: new Intl.DateTimeFormat("sv-SE", /** @type {Intl.DateTimeFormatOptions} */ ({ ...parts, timeZone: name })),
  };
}

/** A moment, given in epoch seconds, to the minute: "2026-11-17 04:00", in UTC or in the reader's time zone. */
export function moment(epoch, utc) {
  if (epoch === null || epoch === undefined) return "–";
  const at = new Date(epoch * 1000);
  if (!utc && local) return local.format.format(at);
  const shifted = utc ? at : new Date(at.getTime() - at.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 16).replace("T", " ");
}

/**
 * A moment and, in the reader's time, its distance from UTC: when clocks go back, the same hour occurs twice.
 */
export function momentWithOffset(epoch, utc) {
  const shown = Date.parse(`${moment(epoch, utc).replace(" ", "T")}Z`) / 1000;
  const minutes = Math.round((shown - Math.floor(epoch / MINUTE) * MINUTE) / MINUTE);
  const clock = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
    .map((part) => String(part).padStart(2, "0"))
    .join(":");
  return utc ? moment(epoch, true) : `${moment(epoch, false)} (UTC${minutes < 0 ? "−" : "+"}${clock})`;
}

/** The moment of a time as {@link moment} writes it, such as "2026-11-17T04:00", in epoch seconds; NaN: it is none. */
export function epochOf(text, utc) {
  const written = Date.parse(`${text.replace(" ", "T")}Z`) / 1000;
  if (utc || Number.isNaN(written)) return written;
  const ahead = (epoch) =>
    Date.parse(`${moment(epoch, false).replace(" ", "T")}Z`) / 1000 - Math.floor(epoch / MINUTE) * MINUTE;
  return written - ahead(written - ahead(written)); // twice: clocks may change between the guess and the moment
}

/** A number of things: "1 try", "1,250 tries". */
export function counted(number, one, several) {
  return `${count(number)} ${number === 1 ? one : several}`;
}

/** Name of the time zone that {@link moment} writes in. */
export function zone(utc) {
  return utc ? "UTC" : (local?.name ?? Intl.DateTimeFormat().resolvedOptions().timeZone);
}
