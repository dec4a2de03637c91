/**
 * The Airflow around the page: its addresses, its frame, its theme.
 *
 * Airflow 3 shows the page in a frame that may neither open windows nor navigate the window around it. What it may do
 * is touch the document around it, of the same origin: so pages of Airflow are opened through the router that listens
 * there. Airflow 2.11 shows the page by itself.
 */

import { element } from "./dom.js";

/** Path of a page that Airflow shows as a tab of a DAG or task; one under Browse has the frame's own path behind it. */
const PLUGIN_PAGE = /^(.*\/plugin\/[^/]+)(\/.*)?$/;

/** Address of a try's log. ``mapIndex`` is -1 for a task that is not mapped, or several of its indexes at once. */
export function logAddress(configuration, { dagId, runId, taskId, tryNumber, mapIndex }) {
  const mapped = mapIndex >= 0 ? configuration.mapped_log_url.replace("{map_index}", mapIndex) : "";
  return configuration.root + fill(configuration.log_url, { dag_id: dagId, run_id: runId, task_id: taskId, try_number: tryNumber })
    .replace("{mapped}", mapped);
}

export function dagAddress(configuration, dagId) {
  return configuration.root + fill(configuration.dag_url, { dag_id: dagId });
}

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? encodeURIComponent(values[name]) : whole));
}

/** The window around the frame, or null: the page stands alone, or the one around it is not ours to touch. */
function around() {
  if (window.parent === window) return null;
  try {
    return window.parent.document ? window.parent : null;
  } catch {
    return null; // of another origin
  }
}

/** In the address of a DAG's tab: the page of all DAGs was chosen there, not that of the DAG. */
const ALL_DAGS = "all_dags";

/** Query string to begin with: a tab's permalink stands in the address around it. */
export function firstQuery() {
  const frame = around();
  const page = frame?.location.pathname.match(PLUGIN_PAGE);
  if (!page || page[2]) return window.location.search;
  const given = new URLSearchParams(frame.location.search);
  return given.has("dag_id") || given.has(ALL_DAGS) ? frame.location.search : window.location.search;
}

/** Show the page's query string in the address around it too, so that a reload and a copied address keep it. */
export function mirror() {
  const frame = around();
  const page = frame?.location.pathname.match(PLUGIN_PAGE);
  if (!page) return;
  const path = page[2] ? page[1] + window.location.pathname : page[1];
  const query = new URLSearchParams(window.location.search);
  if (!page[2] && !query.has("dag_id")) query.set(ALL_DAGS, "1");
  frame.history.replaceState(frame.history.state, "", `${path}${query.toString() && `?${query}`}`);
}

/** The address to hand to somebody else. */
export function shareAddress() {
  const frame = around();
  return frame?.location.pathname.match(PLUGIN_PAGE) ? frame.location.href : window.location.href;
}

/** Open a page of Airflow in the window that the reader looks at. */
export function openAirflow(address) {
  const frame = around();
  if (frame === null) {
    window.location.assign(address);
    return;
  }
  frame.history.pushState({}, "", address);
  frame.dispatchEvent(new frame.PopStateEvent("popstate", { state: {} }));
}

/** A link to a page of Airflow that also works inside the frame. */
export function airflowLink(address, properties, ...children) {
  const open = (event) => {
    if (around() === null || event.defaultPrevented) return; // an ordinary link
    event.preventDefault();
    openAirflow(address);
  };
  return element("a", { href: address, ...properties, on: { click: open } }, ...children);
}

/** Whether Airflow shows itself dark. */
export function dark() {
  const around_ = around()?.document.documentElement.classList;
  if (around_?.contains("dark")) return true;
  if (around_?.contains("light")) return false;
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") return chosen === "dark";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Call back whenever Airflow, or the system it follows, may have changed its theme. */
export function onThemeChange(listener) {
  window.addEventListener("storage", (event) => event.key === "theme" && listener());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
  const root = around()?.document.documentElement;
  if (root) new MutationObserver(listener).observe(root, { attributes: true, attributeFilter: ["class"] });
}
