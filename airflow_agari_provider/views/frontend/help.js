// @ts-check
/** The keys of the page. */

import { element } from "./dom.js";

const COMMON = [
  ["/", "search"],
  ["?", "this help"],
];

/** Keys and mouse actions on the page of a DAG. */
export const TASK_HELP = {
  keys: [
    ["← →", "from run to run"],
    ["Enter", "open the log of that run's newest try; with all tasks: list the run's tries"],
    ["+ −", "zoom in and out around that run"],
    ["Esc", "close the list of tries"],
    ...COMMON,
  ],
  mouse: [
    ["Click a bar", "the log of that try; a bar of several tries: their list"],
    ["Click a cell", "the tries of that task and run"],
    ["Ctrl + wheel", "zoom; so does dragging in the strip below the bars"],
    ["Click a name", "that task alone, and back to all"],
  ],
};

/** Keys and mouse actions on the page of all DAGs. */
export const OVERVIEW_HELP = {
  keys: COMMON,
  mouse: [
    ["Click a name", "the page of that DAG"],
    ["Click a title", "sort by that column"],
  ],
};

/** Keys and mouse actions on the page of alerts. */
export const ALERTS_HELP = {
  keys: COMMON,
  mouse: [
    ["Click a name", "the task in Airflow; in the table of SLAs: its tries"],
    ["Click a message", "the message in Slack"],
    ["Click a title", "sort by that column"],
  ],
};

/** Keys and mouse actions on the page of all checks. */
export const CHECKS_HELP = {
  keys: COMMON,
  mouse: [
    ["Click a name", "the runs of that check"],
    ["Click a title", "sort by that column"],
  ],
};

/** Keys and mouse actions on the page of one check. */
export const CHECK_HELP = {
  keys: [["← →", "from run to run"], ["Esc", "close the list of keys"], ...COMMON],
  mouse: [
    ["Click a point", "the keys of that run"],
    ["Click a cell", "the keys of that run"],
    ["Click a key", "that key alone, and back to all"],
  ],
};

/** Show the help. Escape closes it, and the focus goes back to where it was. */
export function showHelp({ keys, mouse }) {
  const held = /** @type {HTMLElement} */ (document.activeElement);
  const row = ([key, text]) => element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, text));
  // removed at once: the button of a dialog that is only closed keeps the focus for a moment and gets the next key
  const close = () => {
    dialog.remove();
    held.focus({ preventScroll: true });
  };
  const onKey = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // the key closes only the help
    close();
  };
  const dialog = element(
    "dialog",
    { "aria-label": "Keys", on: { close, keydown: onKey } },
    element("h2", {}, "Keys"),
    element("dl", {}, ...keys.map(row)),
    element("h2", {}, "Mouse"),
    element("dl", {}, ...mouse.map(row)),
    element("button", { type: "button", class: "primary", on: { click: close } }, "Close"),
  );
  document.body.append(dialog);
  dialog.showModal();
}
