/** The button of a notice: what the reader can do about it. */

import { dagAddress, openAirflow } from "./airflow.js";
import { ALL_DATES, DAY_COUNTS, DEFAULTS, RUN_COUNTS } from "./permalink.js";

/**
 * @param {string} name the ``action`` of a notice.
 * @param {object} page a TaskPage or an OverviewPage.
 * @returns {[string, () => void]} label and function of the button.
 */
export function remedy(name, page) {
  const { state, frame, go } = page;
  const again = ["Try again", () => page.load()];
  return {
    reset: ["Reset filters", () => go({ ...DEFAULTS, dag: state.dag, task: state.task })],
    "all tasks": ["Show all tasks", () => go({ task: null })],
    "all DAGs": ["Show all DAGs", () => go({ ...DEFAULTS })],
    "open DAG": ["Open the DAG in Airflow", () => openAirflow(dagAddress(frame.configuration, state.dag))],
    newest: ["Show the newest runs", () => go({ before: null, after: null, ...ALL_DATES })],
    "log in": ["Log in", () => openAirflow(frame.configuration.root)],
    fewer: fewer(state, go) ?? again,
    again,
  }[name];
}

function fewer(state, go) {
  const [control, counts, unit] = state.dag === null ? ["days", DAY_COUNTS, "days"] : ["runs", RUN_COUNTS, "runs"];
  const less = counts.filter((count) => count < state[control]).at(-1);
  return less && [`Show ${less} ${unit}`, () => go({ [control]: less })];
}
