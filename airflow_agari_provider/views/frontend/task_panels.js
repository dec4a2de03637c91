/** What opens below the bars of a DAG's page: the tries of a run, and the comparison of two parts of the runs. */

import { dark } from "./airflow.js";
import { comparePanel } from "./compare.js";
import { keepFocus } from "./focus.js";
import { IndexPanel } from "./index_panel.js";
import { runPanel } from "./run_panel.js";
import { shownTries } from "./series.js";

/** @param {object} page a TaskPage. @param {() => void} onClose closes the tries of a run. */
export function drawPanels(page, onClose) {
  const { payload, state, parts } = page;
  const { scrollTop } = parts.panel.querySelector(".scroll") ?? { scrollTop: 0 };
  const run = state.run === null ? -1 : payload.runs.run_id.indexOf(state.run);
  parts.panel.replaceChildren(...(run < 0 ? [] : [triesOf(page, run, onClose)]));
  if (scrollTop > 0) parts.panel.querySelector(".scroll")?.scrollTo({ top: scrollTop });
  page.indexes ??= new IndexPanel(page);
  page.indexes.sync();
  parts.compare.replaceChildren(...(state.split === null ? [] : [comparisonOf(page)]));
}

function triesOf(page, run, onClose) {
  const { payload, state, frame } = page;
  return runPanel({
    payload,
    run,
    shown: page.shownOf(run),
    marked: page.marked,
    local: state.local,
    dark: dark(),
    configuration: frame.configuration,
    onClose,
    onIndexes: (task) => page.go({ indexes: payload.tasks.task_id[task] }),
    onCompare: () => page.go({ split: payload.runs.run_after[run] }),
  });
}

function comparisonOf(page) {
  const onSort = (sort, descending) => {
    page.comparing = { sort, descending };
    keepFocus(() => page.parts.compare.replaceChildren(comparisonOf(page)));
  };
  return comparePanel(page, shownTries(page.payload, page.task, page.state.last), onSort);
}
