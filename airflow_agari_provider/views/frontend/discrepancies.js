// @ts-check
/** The discrepancies: the page of all checks, or of one. */

import { CheckPage } from "./check_page.js";
import { ChecksPage } from "./checks_page.js";
import * as permalink from "./discrepancies_link.js";
import { start } from "./shell.js";

start(permalink, (page, root, frame, state) => {
  const kind = state.task === null ? ChecksPage : CheckPage;
  if (page instanceof kind && page.shows(state)) return page;
  page?.close();
  return new kind(root, frame);
});
