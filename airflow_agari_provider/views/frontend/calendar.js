/** A calendar of the days on which a DAG ran: where it failed, and a way to go to a day. */

import { element } from "./dom.js";
import { count, counted, duration, moment, zone } from "./units.js";

const DAY = 86400;
const WEEK = 7;
const ARROWS = { ArrowLeft: -WEEK, ArrowRight: WEEK, ArrowUp: -1, ArrowDown: 1 };
const NAMES = ["Mon", "", "Wed", "", "Fri", "", "Sun"];

/**
 * The first moment of a day, in epoch seconds, in UTC or in the reader's time zone. Pure.
 *
 * @param {string} date such as "2026-11-20".
 */
export function startOfDay(date, utc) {
  const wanted = Date.parse(`${date}T00:00Z`) / 1000;
  let found = wanted;
  // twice, as the first step may go past a moment at which the clocks change
  for (let step = 0; step < 2; step += 1)
    found += wanted - Date.parse(`${moment(found, utc).replace(" ", "T")}Z`) / 1000;
  return found;
}

/** The day after or before a date by so many days. Pure. */
export function dayAfter(date, days = 1) {
  return new Date(Date.parse(`${date}T00:00Z`) + days * DAY * 1000).toISOString().slice(0, 10);
}

/**
 * All days from the Monday before the first day that has runs, to the last such day. Pure.
 *
 * @param {object|null} days columns of the server's answer.
 * @returns {{date: string, at: number|null}[]} ``at``: index in the columns; null: no run was due on that day.
 */
export function calendarDays({ date }) {
  if (date.length === 0) return [];
  const at = new Map(date.map((day, index) => [day, index]));
  const weekday = (new Date(`${date[0]}T00:00Z`).getUTCDay() + 6) % WEEK;
  const found = [];
  for (let day = dayAfter(date[0], -weekday); day <= date[date.length - 1]; day = dayAfter(day))
    found.push({ date: day, at: at.get(day) ?? null });
  return found;
}

/** What a day was like, for its colour. Pure. */
export function kindOf(days, at) {
  if (at === null) return "none";
  if (days.runs.failed[at] > 0) return "failed";
  if (days.failed_tries[at] > 0) return "retried";
  return days.runs.success[at] > 0 ? "success" : "running";
}

function dayText(days, { date, at }) {
  if (at === null) return `${date}: no run`;
  const runs = Object.entries(days.runs)
    .filter(([, of]) => of[at] > 0)
    .map(([state, of]) => `${count(of[at])} ${state}`);
  const failed = days.failed_tries[at];
  const lost =
    failed === null
      ? "too many failed tries to count"
      : failed > 0
        ? `${counted(failed, "failed try", "failed tries")}, ${duration(days.lost_seconds[at])} lost`
        : "no failed try";
  return `${date}: ${runs.join(", ") || "no run"}; ${lost}`;
}

/**
 * @param {object} answer of ``api/dags/<dag_id>/days``.
 * @param {object} state the page's: ``since``, ``until`` (epoch seconds, or null), ``local``.
 * @param {(since: number, until: number) => void} pick the reader chose a day; with Shift, the days up to it.
 */
export function calendar({ days }, state, pick) {
  const shown = calendarDays(days);
  const chosen = ({ at }) =>
    at !== null && state.since !== null && days.start[at] < (state.until ?? Infinity) && days.end[at] > state.since;
  const button = (day, index) =>
    element(
      "button",
      {
        type: "button",
        class: `day ${kindOf(days, day.at)}`,
        title: dayText(days, day),
        "aria-label": dayText(days, day),
        "aria-pressed": String(chosen(day)),
        "data-key": `day-${day.date}`,
        tabindex: index === shown.length - 1 ? "0" : "-1",
        disabled: day.at === null,
        on: {
          click: ({ shiftKey }) => {
            const [start, end] = [days.start[day.at], days.end[day.at]];
            if (shiftKey && state.since !== null) pick(Math.min(start, state.since), Math.max(end, state.until ?? end));
            else pick(start, end);
          },
        },
      },
      "",
    );
  const buttons = shown.map(button);
  const onKey = (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation(); // the arrows move from run to run elsewhere
    let at = buttons.indexOf(event.target) + step;
    while (buttons[at]?.disabled) at += step;
    buttons[at]?.focus();
  };
  return element(
    "div",
    {},
    element(
      "div",
      { class: "calendar scroll" },
      element(
        "div",
        { class: "calendar-names", "aria-hidden": "true" },
        ...NAMES.map((name) => element("span", {}, name)),
      ),
      element(
        "div",
        { class: "calendar-days", role: "group", "aria-label": "Days", on: { keydown: onKey } },
        ...buttons,
      ),
    ),
    element(
      "p",
      { class: "muted" },
      shown.length === 0
        ? "No run was due in the last year."
        : `${shown[0].date} to ${shown[shown.length - 1].date} (${zone(!state.local)}), a column for each week. Red: a run failed; amber: only tries failed. Choose a day; with Shift, the days up to it.`,
    ),
  );
}
