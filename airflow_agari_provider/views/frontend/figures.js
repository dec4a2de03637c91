/** Key figures, each with its change compared with the window before, and the columns of the table of tasks. */

import { element } from "./dom.js";
import { change, changeBetween, count, duration, percent } from "./units.js";

const WAITS = [
  ["between tries", "idle_seconds"],
  ["queued", "queued_seconds"],
  ["deferred", "deferred_seconds"],
];

/** Sum of the kinds of waiting that are known, in seconds; null: no kind is known. */
export function waiting(figures) {
  const known = WAITS.map(([, key]) => figures[key]).filter((seconds) => seconds !== null);
  return known.length ? known.reduce((sum, seconds) => sum + seconds) : null;
}

const lostShare = (figures) => (figures.total_seconds > 0 ? figures.lost_seconds / figures.total_seconds : null);

/** Each card: title, function for its value, function for its text, explanation. A higher value is always worse. */
const CARDS = [
  ["Total time", (figures) => figures.total_seconds, duration, "Running time of all tries, failed ones too"],
  ["Lost in failed tries", (figures) => figures.lost_seconds, duration, "Running time of tries that failed"],
  ["Waiting", waiting, duration, "Between tries, queued, and deferred"],
  ["Retry rate", (figures) => figures.retry_rate, percent, "Task instances that needed more than one try"],
  ["Median per run", (figures) => figures.median_seconds, duration, "Half of the runs took less, over all their tries"],
  ["p95 per run", (figures) => figures.p95_seconds, duration, "95 of 100 runs took less, over all their tries"],
];

const NOTABLE = 5; // percent; smaller changes come and go by themselves, so they are neither better nor worse
const COMPARED = "Below: the change compared with the same number of runs before these, if there are that many";

/** @param {object|null} figures null: not available. @param {string} missing text of each card in that case. */
export function figureCards(figures, missing) {
  return CARDS.map(([title, value, text, hint]) => {
    const now = figures ? value(figures) : null;
    const before = figures?.before ? value(figures.before) : null;
    const difference = changeBetween(before, now);
    const share = title.startsWith("Lost") && figures ? ` · ${percent(lostShare(figures))}` : "";
    const against = difference === null ? "" : `${change(difference)}, was ${text(before)}`;
    const direction = difference === null || Math.abs(difference) < NOTABLE ? "" : difference > 0 ? "worse" : "better";
    return element(
      "div",
      { class: "card", title: `${hint}. ${COMPARED}` },
      element("dt", {}, title),
      element("dd", {}, figures ? text(now) + share : missing, element("small", { class: direction }, against)),
    );
  });
}

/** Sentence about where the wall time went; its parts add up to the time from the first schedule to the last end. */
export function wallTime(figures) {
  const kept = figures.total_seconds - figures.lost_seconds;
  const known = WAITS.filter(([, key]) => figures[key] !== null).map(
    ([name, key]) => `${duration(figures[key])} ${name}`,
  );
  const unknown = WAITS.filter(([, key]) => figures[key] === null).map(([name]) => name);
  const sum = [`${duration(kept)} ran`, `${duration(figures.lost_seconds)} lost`, ...known].join(" + ");
  return `Wall time: ${sum} = ${duration(figures.total_seconds + waiting(figures))}${unknown.length ? `; not known: ${unknown.join(", ")}` : ""}`;
}

/** Columns of the table of tasks. @param {(row: object) => Node} link the task's name as a link that chooses it. */
export function taskColumns(link) {
  const seconds = (key, title, hint) => ({
    key,
    title,
    hint,
    value: (row) => row[key],
    text: (row) => duration(row[key]),
  });
  const whole = (key, title, hint) => ({ key, title, hint, value: (row) => row[key], text: (row) => count(row[key]) });
  return [
    {
      key: "name",
      title: "task",
      name: true,
      csv: [["task_id", (row) => row.id ?? row.name]],
      hint: "Sort by name",
      value: (row) => row.name,
      node: link,
    },
    whole("tries", "tries", "Tries that started"),
    whole("runs", "runs", "Runs in which it started"),
    whole("retried_runs", "retried", "Runs in which it needed more than one try"),
    seconds("total_seconds", "total", "Running time of all tries"),
    seconds("lost_seconds", "lost", "Running time of tries that failed"),
    seconds("idle_seconds", "between tries", "From the end of a try until the next was scheduled"),
    seconds("queued_seconds", "queued", "From being scheduled until the start"),
    seconds("deferred_seconds", "deferred", "In the triggerer, or between two pokes of a rescheduled sensor"),
    seconds("p50_seconds", "p50", "Median per run, over all tries"),
    seconds("p95_seconds", "p95", "95 of 100 runs took less, over all tries"),
    {
      key: "trend_percent",
      title: "trend",
      hint: "Change within the window",
      value: (row) => row.trend_percent,
      text: (row) => change(row.trend_percent),
    },
  ];
}
