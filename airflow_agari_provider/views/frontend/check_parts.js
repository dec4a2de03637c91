// @ts-check
/** Key figures and sentences of the pages of checks. */

import { filtered } from "./discrepancies_link.js";
import { element } from "./dom.js";
import { count, counted, moment, zone } from "./units.js";
import { visible } from "./visible.js";

/** Of all checks. ``note``: a smaller line below the text; ``alarm``: whether somebody should look. */
const OF_CHECKS = [
  {
    title: "Need a look",
    hint: "Checks whose last run is not ok, or that have a bad window",
    text: ({ counts }) => `${count(counts.problems)} of ${count(counts.checks)}`,
    note: ({ counts }) => (counts.hidden ? `${count(counts.hidden)} more of DAGs that you may not read` : ""),
    alarm: ({ counts }) => counts.problems > 0,
  },
  {
    title: "Bad windows",
    hint: "Windows whose last check found discrepancies",
    text: ({ counts }) => count(counts.bad_windows),
  },
  {
    title: "Bad runs",
    hint: "Runs with discrepancies, also those that were repaired",
    text: ({ counts }) => `${count(counts.bad)} of ${count(counts.runs)}`,
  },
];

/** Of one check. */
const OF_RUNS = [
  {
    title: "Last run",
    hint: "Verdict of the newest run that is shown",
    text: ({ runs }) => visible(runs.verdict.at(-1) ?? "–"),
    note: ({ runs }) => visible(runs.window.at(-1) ?? ""),
    alarm: ({ runs }) => !["ok", "accepted"].includes(runs.verdict.at(-1) ?? "ok"),
  },
  {
    title: "Bad windows",
    hint: "Windows whose last check found discrepancies, among all stored runs",
    text: ({ counts }) => count(counts.bad_windows),
    note: ({ bad_windows: windows }) => visible(windows.at(-1) ?? ""),
  },
  {
    title: "Bad runs",
    hint: "Runs with discrepancies, and with warnings, in these days",
    text: ({ counts }) => `${count(counts.bad)} of ${count(counts.runs)}`,
    note: ({ counts }) => (counts.warned ? counted(counts.warned, "warning", "warnings") : ""),
  },
  {
    title: "Most often bad",
    hint: "The stage that lost or gained messages first, in most of the runs that are shown",
    text: ({ runs }) => visible(mostFrequent(runs.bad_stage) ?? "–"),
    note: ({ runs }) => {
      const stage = mostFrequent(runs.bad_stage);
      return stage === null
        ? ""
        : `first bad in ${counted(runs.bad_stage.filter((one) => one === stage).length, "run", "runs")}`;
    },
  },
];

/** The most frequent of some values; null: there is none. Pure. */
export function mostFrequent(values) {
  const known = values.filter((value) => value !== null);
  const times = (wanted) => known.filter((value) => value === wanted).length;
  return [...new Set(known)].sort((one, other) => times(other) - times(one))[0] ?? null;
}

/** @param {any[]} kinds */
function cards(kinds, answer) {
  return kinds.map(({ title, hint, text, note = () => "", alarm = () => false }) =>
    element(
      "div",
      { class: answer && alarm(answer) ? "wrapped card alarm" : "wrapped card", title: hint },
      element("dt", {}, title),
      element("dd", {}, answer ? text(answer) : "–", element("small", {}, answer ? note(answer) : "")),
    ),
  );
}

/** @param {any} answer null: not available. */
export const checkCards = (answer) => cards(OF_CHECKS, answer);

/** @param {any} answer null: not available. */
export const runCards = (answer) => cards(OF_RUNS, answer);

function windowText({ now, since, until }, utc) {
  return `checked from ${moment(since, utc)} to ${moment(until ?? now, utc)} (${zone(utc)})`;
}

/** What the page of all checks shows, in words. */
export function checksSentence(answer, shown, utc) {
  const { counts, complete } = answer;
  const list = shown === counts.checks ? "" : `, ${count(shown)} shown`;
  const cut = complete ? "" : "; older runs are not read: choose fewer days";
  return `${counted(counts.checks, "check", "checks")} with ${counted(counts.runs, "run", "runs")} ${windowText(answer, utc)}${list}${cut}`;
}

/** What the page of one check shows, in words. */
export function runsSentence(answer, utc) {
  const { counts, complete, older, runs } = answer;
  const shown = runs.run_id.length;
  const list = shown === counts.runs ? "" : `, ${count(shown)} with problems shown`;
  const more = older ? "; there are older ones" : complete ? "" : "; older ones are not read";
  return `${counted(counts.runs, "run", "runs")} ${windowText(answer, utc)}${list}${more}`;
}

/** Why there is no check to list; null: there is one. */
export function emptyChecks({ note, counts }, shown, state) {
  if (shown > 0) return null;
  if (note) return { title: "Nothing is recorded", text: note, action: null };
  if (counts.checks > 0)
    return { title: "No check matches the filters", text: `They hide ${count(counts.checks)}.`, action: "reset" };
  const hidden = counts.hidden ? ` There are ${count(counts.hidden)} of DAGs that you may not read.` : "";
  return {
    title: "No check ran",
    text: `None stored a run in these days.${hidden}`,
    action: filtered(state) || state.dag !== null ? "reset" : null,
  };
}

/** Why there is no run to draw; null: there is one. */
export function emptyRuns({ counts, runs }, state) {
  if (runs.run_id.length > 0) return null;
  if (state.problems && counts.runs > 0)
    return { title: "Nothing is wrong", text: `All ${count(counts.runs)} runs of these days are ok.`, action: "reset" };
  return {
    title: "No run in these days",
    text: `The check has ${counted(counts.stored, "stored run", "stored runs")} at other times.`,
    action: "all",
  };
}
