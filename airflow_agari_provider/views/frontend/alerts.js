// @ts-check
/** The alerts: one page, also for the alerts of one DAG. */

import * as permalink from "./alerts_link.js";
import { AlertsPage } from "./alerts_page.js";
import { start } from "./shell.js";

start(permalink, (page, root, frame) => page ?? new AlertsPage(root, frame));
