/** The keys of the page. */

import { element } from "./dom.js";

const KEYS = [
  ["← →", "from run to run"],
  ["Enter", "open the log of that run's newest try; all tasks: list its tries"],
  ["Esc", "close the list of tries"],
  ["/", "search"],
  ["?", "this help"],
];
const MOUSE = [
  ["Click a bar", "the log of that try; a bar of several tries: their list"],
  ["Click a cell", "the tries of that task and run"],
  ["Ctrl + wheel", "zoom; so does dragging in the strip below the bars"],
  ["Click a name", "that task alone, and back to all"],
];

/** Show the help; it closes with Escape. */
export function showHelp() {
  const row = ([key, text]) => element("div", {}, element("dt", {}, element("kbd", {}, key)), element("dd", {}, text));
  const dialog = element("dialog", { "aria-label": "Keys", on: { close: () => dialog.remove() } },
    element("h2", {}, "Keys"), element("dl", {}, ...KEYS.map(row)),
    element("h2", {}, "Mouse"), element("dl", {}, ...MOUSE.map(row)),
    element("button", { type: "button", class: "primary", on: { click: () => dialog.close() } }, "Close"));
  document.body.append(dialog);
  dialog.showModal();
}
