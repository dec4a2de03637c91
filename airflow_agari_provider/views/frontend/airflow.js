// @ts-check
/**
 * Airflow's own pages around this page: their addresses, their frame, their theme.
 *
 * Airflow 3 shows the page in a frame. The frame may not open windows and may not navigate the window around it, but it
 * may access the document around it, which has the same origin. So this module opens Airflow's pages through the router
 * that listens in that document. Airflow 2.11 shows the page without a frame.
 */

import { element } from "./dom.js";

/** Path of a page that Airflow shows as a tab of a DAG or task; under Browse, the frame's own path follows it. */
const PLUGIN_PAGE = /^(.*\/plugin\/[^/]+)(\/.*)?$/;

/** Address of a try's log. ``mapIndex`` is -1 for a task that is not mapped, or for several map indexes at once. */
export function logAddress(configuration, { dagId, runId, taskId, tryNumber, mapIndex }) {
  const mapped = mapIndex >= 0 ? configuration.mapped_log_url.replace("{map_index}", mapIndex) : "";
  return (
    configuration.root +
    fill(configuration.log_url, { dag_id: dagId, run_id: runId, task_id: taskId, try_number: tryNumber }).replace(
      "{mapped}",
      mapped,
    )
  );
}

/** Address of a run; of a task in it, if there is one. */
export function runAddress(configuration, { dagId, runId, taskId }) {
  const template = taskId ? configuration.task_url : configuration.run_url;
  return configuration.root + fill(template, { dag_id: dagId, run_id: runId, task_id: taskId });
}

export function dagAddress(configuration, dagId) {
  return configuration.root + fill(configuration.dag_url, { dag_id: dagId });
}

function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? encodeURIComponent(values[name]) : whole));
}

/** The window around the frame; null: there is no frame, or the browser denies access to that window. */
function around() {
  if (window.parent === window) return null;
  try {
    return window.parent.document ? window.parent : null;
  } catch {
    return null; // the window has another origin
  }
}

/** Whether Airflow shows the page in a frame, where there is less room. */
export function framed() {
  return around() !== null;
}

/** Where Airflow 3, and 2.11, keep the time zone that the reader chose there. */
const ZONE_KEYS = { 3: ["timezone"], 2: ["chosen-timezone", "selected-timezone"] };

/** Name of the time zone that the reader chose in Airflow, such as Europe/Berlin; null: UTC, or none. */
export function airflowZone({ airflow }) {
  const chosen = ZONE_KEYS[airflow].map((key) => localStorage.getItem(key)).find((name) => name);
  const name = chosen?.replaceAll('"', "") ?? null; // Airflow 3 keeps it as JSON
  try {
    new Intl.DateTimeFormat("en", { timeZone: name ?? "UTC" });
    return name === "UTC" ? null : name;
  } catch {
    return null;
  }
}

/** Parameter in the address of a DAG's tab: the reader chose the page of all DAGs there, not the page of the DAG. */
const ALL_DAGS = "all_dags";

/** Query string to begin with. In a tab, the permalink is in the address of the window around the frame. */
export function firstQuery() {
  const frame = around();
  const page = frame?.location.pathname.match(PLUGIN_PAGE);
  if (!page || page[2]) return window.location.search;
  const given = new URLSearchParams(frame.location.search);
  return given.has("dag_id") || given.has(ALL_DAGS) ? frame.location.search : window.location.search;
}

/** Copy the page's query string to the address of the window around the frame: a reload or a copied link keeps it. */
export function mirror() {
  const frame = around();
  const page = frame?.location.pathname.match(PLUGIN_PAGE);
  if (!page) return;
  const path = page[2] ? page[1] + window.location.pathname : page[1];
  const query = new URLSearchParams(window.location.search);
  if (!page[2] && !query.has("dag_id")) query.set(ALL_DAGS, "1");
  frame.history.replaceState(frame.history.state, "", `${path}${query.toString() && `?${query}`}`);
}

/** The address to share with another person. */
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
  const { PopStateEvent } = /** @type {typeof globalThis} */ (/** @type {unknown} */ (frame));
  frame.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
}

/** Make a link to a page of Airflow that also works inside the frame. */
export function airflowLink(address, properties, ...children) {
  const open = (event) => {
    if (around() === null || event.defaultPrevented) return; // an ordinary link
    event.preventDefault();
    openAirflow(address);
  };
  return element("a", { href: address, ...properties, on: { click: open } }, ...children);
}

/** Make a link to another of our pages: in the frame, to where Airflow shows that page. @param {string} name of the page. */
export function pageLink(configuration, name, query, properties, text) {
  const path = `${new URL(name, window.location.href).pathname}${query && `?${query}`}`;
  const address = around() === null ? path : `${configuration.root}plugin/agari-${name}${path}`;
  return airflowLink(address, { "data-key": `page-${name}`, ...properties }, text);
}

/** Make a link to another site, in a new tab. The frame may not open one, but the document around it may. */
export function outsideLink(address, properties, text) {
  const target = { href: address, target: "_blank", rel: "noopener noreferrer" };
  const open = (event) => {
    const frame = around();
    if (frame === null) return;
    event.preventDefault();
    const link = frame.document.createElement("a");
    Object.assign(link, target);
    link.click();
  };
  return element("a", { ...target, ...properties, on: { click: open } }, text);
}

/** Whether Airflow shows its dark theme. */
export function dark() {
  const around_ = around()?.document.documentElement.classList;
  if (around_?.contains("dark")) return true;
  if (around_?.contains("light")) return false;
  const chosen = localStorage.getItem("theme");
  if (chosen === "dark" || chosen === "light") return chosen === "dark";
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

/** Call the listener when Airflow's theme, or the system's theme that it follows, may have changed. */
export function onThemeChange(listener) {
  window.addEventListener("storage", (event) => event.key === "theme" && listener());
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
  const root = around()?.document.documentElement;
  if (root) new MutationObserver(listener).observe(root, { attributes: true, attributeFilter: ["class"] });
}
