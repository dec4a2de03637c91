// @ts-check
/** Key figures, the misses of each day, and the sentences of the page of alerts. */

import { filtered } from "./alerts_link.js";
import { element } from "./dom.js";
import { count, counted, duration, moment, percent, zone } from "./units.js";

/** ``note``: a smaller line below the text. */
const CARDS = [
  {
    title: "Open now",
    hint: "Misses that have not come in, whenever they were due",
    text: ({ counts }) => count(counts.open),
    note: ({ counts }) => (counts.open ? counted(counts.incidents, "incident", "incidents") : ""),
  },
  {
    title: "Missed",
    hint: "Runs that missed an SLA in the window",
    text: ({ counts }) => count(counts.missed),
    note: ({ counts }) => (counts.hidden ? `${count(counts.hidden)} more of DAGs that you may not read` : ""),
  },
  { title: "Met", hint: "Share of the runs that met the SLAs below", text: (answer) => percent(answer.hit_rate) },
  {
    title: "p95 late by",
    hint: "Of 100 misses that came in, 95 were less late",
    text: (answer) => duration(answer.p95_late_seconds),
  },
  {
    title: "Doubtful",
    hint: "Alerts of which it is unknown whether they arrived",
    text: ({ counts }) => count(counts.doubtful),
  },
  {
    title: "Refused, silenced",
    hint: "Alerts that a service did not accept, and alerts that a silence held back",
    text: ({ counts }) => `${count(counts.refused)}, ${count(counts.silenced)}`,
  },
];

/** @param {any} answer null: not available. */
export function alertCards(answer) {
  return CARDS.map(({ title, hint, text, note = () => "" }) =>
    element(
      "div",
      { class: title === "Open now" && answer?.counts.open ? "wrapped card alarm" : "wrapped card", title: hint },
      element("dt", {}, title),
      element("dd", {}, answer ? text(answer) : "–", element("small", {}, answer ? note(answer) : "")),
    ),
  );
}

/** A bar for each day of the window; its label says all numbers, for screen readers. */
export function dayBars({ days }) {
  const most = Math.max(1, ...days.missed);
  const label = days.start
    .map((start, at) => [moment(start, true).slice(0, 10), days.missed[at]])
    .filter(([, missed]) => missed > 0)
    .map(([day, missed]) => `${day}: ${missed}`);
  const bar = (start, at) =>
    element("i", {
      style: { height: `${(100 * days.missed[at]) / most}%` },
      title: `${moment(start, true).slice(0, 10)}: ${days.missed[at]}`,
    });
  return [
    element(
      "div",
      { class: "days", role: "img", "aria-label": `Misses of each day: ${label.join(", ") || "none"}` },
      ...days.start.map(bar),
    ),
    element(
      "div",
      { class: "days-ends muted", "aria-hidden": "true" },
      element("span", {}, moment(days.start[0], true).slice(0, 10)),
      element("span", {}, `most: ${count(most)} a day (UTC)`),
      element("span", {}, moment(days.start.at(-1), true).slice(0, 10)),
    ),
  ];
}

/** What the page shows, in words; nothing outside it is left out silently. */
export function windowSentence({ now, since, until, counts, complete }, shown, utc) {
  const cut = complete ? "" : "; older ones are not read: choose a shorter window";
  const listed = counts.unlisted ? `, ${count(counts.listed)} listed` : "";
  const list = shown === counts.listed ? "" : `, ${count(shown)} of ${count(counts.listed)} shown`;
  return `${counted(counts.missed, "miss", "misses")} due from ${moment(since, utc)} to ${moment(until ?? now, utc)} (${zone(utc)}), ${count(counts.open)} open${listed}${list}${cut}`;
}

/** Why there is nothing to list; null: there is something. */
export function emptyAlerts({ note, counts }, shown, state) {
  if (shown > 0) return null;
  if (note) return { title: "Nothing is recorded", text: note, action: null };
  if (counts.listed > 0 && filtered(state))
    return { title: "No miss matches the filters", text: `They hide ${count(counts.listed)}.`, action: "reset" };
  const hidden = counts.hidden ? ` DAGs that you may not read missed ${count(counts.hidden)}.` : "";
  return {
    title: "No SLA was missed",
    text: `Nothing is open, and nothing was missed in this window.${hidden}`,
    action: null,
  };
}
