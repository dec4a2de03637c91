/** The filters of the page of all DAGs. */

import { choice, toggle } from "./controls.js";
import { choicesOf } from "./overview_rows.js";
import { DEFAULTS } from "./permalink.js";

const ALL = "";

/** Part of a state: no filter. */
export const ALL_DAGS = {
  tag: DEFAULTS.tag,
  owner: DEFAULTS.owner,
  team: DEFAULTS.team,
  paused: DEFAULTS.paused,
  problems: DEFAULTS.problems,
};

/** @param {object} page an OverviewPage. @returns {object[]} controls. */
export function overviewFilters({ go }) {
  const one = (name, label, column) =>
    choice({
      name,
      label,
      options: (page) => [[ALL, "all"], ...options(page, name, column).map((value) => [value, value])],
      value: ({ state }) => state[name] ?? ALL,
      pick: (value) => go({ [name]: value || null }),
      visible: (page) => options(page, name, column).length > 0,
    });
  return [
    one("tag", "Tag", "tags"),
    one("owner", "Owner", "owners"),
    one("team", "Team", "teams"),
    choice({
      name: "paused",
      label: "Paused",
      options: () => [
        ["all", "all"],
        ["active", "not paused"],
        ["paused", "paused"],
      ],
      value: ({ state }) => state.paused,
      pick: (paused) => go({ paused }),
    }),
    toggle({
      name: "problems",
      label: "Only problems",
      title: "DAGs of which a run or a task failed in the window",
      value: ({ state }) => state.problems,
      set: (problems) => go({ problems }),
    }),
  ];
}

/** The chosen value is always one of them, even if no DAG has it any more. */
function options(page, name, column) {
  const found = page.overview ? choicesOf(page.allRows, column) : [];
  const chosen = page.state[name];
  return chosen === null || found.includes(chosen) ? found : [chosen, ...found];
}
