// @ts-check
/** The charts: the page of one DAG, or of all DAGs. */

import { OverviewPage } from "./overview_page.js";
import * as permalink from "./permalink.js";
import { start } from "./shell.js";
import { TaskPage } from "./task_page.js";

start(permalink, (page, root, frame, state) => {
  if (page !== null && page.dag === (state.dag ?? undefined)) return page;
  page?.close();
  return state.dag === null ? new OverviewPage(root, frame) : new TaskPage(root, frame, state.dag);
});
