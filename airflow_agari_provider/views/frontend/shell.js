// @ts-check
/** What every page stands on: its state is its address; links between the pages, theme, keys, short messages. */

import { airflowZone, dark, firstQuery, framed, mirror, onThemeChange } from "./airflow.js";
import { element } from "./dom.js";
import { keepFocus } from "./focus.js";
import { showHelp } from "./help.js";
import { pageLinks } from "./pages.js";
import { setLocalZone } from "./units.js";

const TOLD = 4000; // milliseconds that a short message stays visible

/**
 * Show a page, and keep its address up to date.
 *
 * @param {any} permalink of the page's state: ``parse(query)`` and ``format(state)``.
 * @param {(page: any, root: HTMLElement, frame: object, state: any) => object} turn returns the page that
 *   shows a state: the same as before, or another one after it has closed that. A page has ``update(state)``,
 *   ``key(name)``: whether it used a key, ``recolour()``, ``close()`` and ``help``.
 */
export function start({ parse, format }, turn) {
  const configuration = JSON.parse(document.getElementById("configuration").textContent);
  const root = document.getElementById("page");
  const spoken = document.getElementById("spoken");
  const pages = document.getElementById("pages");
  const chosenZone = airflowZone(configuration);
  let state = clocked(parse(firstQuery()));
  let page = null;
  let telling = 0;

  const frame = {
    configuration,
    chosenZone,

    /** Change some controls. Each change is a step for the Back button, unless it replaces the step before. */
    go(change, { replace = false } = {}) {
      state = { ...state, ...change };
      write(replace);
      show();
    },

    /** Write a change into the address that the page already shows. */
    note(change) {
      state = { ...state, ...change };
      write(true);
    },

    query: (change) => format({ ...state, ...change }),

    link(change, text) {
      const go = (event) => {
        if (event.ctrlKey || event.metaKey) return; // open a new tab, if the browser allows it
        event.preventDefault();
        frame.go(change);
      };
      return element("a", { href: `?${frame.query(change)}`, "data-key": `row-${text}`, on: { click: go } }, text);
    },

    say(text) {
      spoken.textContent = text;
      spoken.classList.remove("seen");
    },

    /** Say a text to screen readers, and show it on the page for a moment. */
    tell(text) {
      frame.say(text);
      spoken.classList.add("seen");
      clearTimeout(telling);
      telling = setTimeout(() => spoken.classList.remove("seen"), TOLD);
    },
  };

  /** The state with a time zone: if the reader chose none here, the one that they chose in Airflow. */
  function clocked(given) {
    const unset = !given.local && given.zone === null;
    if (chosenZone === null) return given.zone === "airflow" ? { ...given, local: false, zone: null } : given;
    return unset ? { ...given, local: true, zone: "airflow" } : given;
  }

  function write(replace) {
    const address = `${window.location.pathname}?${format(state)}`;
    if (replace) window.history.replaceState(null, "", address);
    else window.history.pushState(null, "", address);
    mirror();
  }

  function show() {
    keepFocus(() => {
      pages.replaceChildren(...pageLinks(configuration, state));
      page = turn(page, root, frame, state);
      setLocalZone(state.zone === "airflow" ? chosenZone : null);
      page.update(state);
    });
  }

  function followTheme() {
    document.documentElement.classList.toggle("dark", dark());
    page?.recolour();
  }

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest("input:not([type=checkbox]), select, textarea");
    if (typing) {
      if (event.key === "Escape") typing.blur();
      return;
    }
    const pressing = event.key === "Enter" && event.target.closest("a, button, input, summary");
    if (event.key === "/") /** @type {HTMLElement | null} */ (document.querySelector("input[type=search]"))?.focus();
    else if (event.key === "?") showHelp(page.help);
    else if (pressing || !page.key(event.key)) return;
    event.preventDefault();
  }

  window.addEventListener("popstate", () => {
    state = clocked(parse(window.location.search));
    mirror();
    show();
  });
  document.addEventListener("keydown", onKey);
  onThemeChange(followTheme);
  document.documentElement.classList.toggle("framed", framed());
  followTheme();
  write(true);
  show();
}
