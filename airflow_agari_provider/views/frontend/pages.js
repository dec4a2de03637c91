// @ts-check
/** Links between the pages. A page that is added here is found from all others. */

import { pageLink } from "./airflow.js";
import { timeWord } from "./permalink.js";

/** Name in the address, and title. */
const PAGES = [
  ["charts", "Tries"],
  ["alerts", "Alerts"],
  ["discrepancies", "Discrepancies"],
];

/** The links; that of the page itself is marked. They lead to the same DAG, and keep the time zone. */
export function pageLinks(configuration, { dag, local, zone }) {
  const query = new URLSearchParams();
  if (dag) query.set("dag_id", dag);
  const time = timeWord({ local, zone });
  if (time) query.set("time", time);
  const here = window.location.pathname.split("/").at(-1);
  return PAGES.map(([name, title]) =>
    pageLink(configuration, name, query.toString(), { "aria-current": name === here && "page" }, title),
  );
}
