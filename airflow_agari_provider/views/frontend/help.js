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
  // removed at once: the button of a dialog that is merely closed keeps the focus for a moment, and takes the next key
  const close = () => dialog.remove();
  const onKey = (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation(); // it closes this alone
    close();
  };
  const dialog = element("dialog", { "aria-label": "Keys", on: { close, keydown: onKey } },
    element("h2", {}, "Keys"), element("dl", {}, ...KEYS.map(row)),
    element("h2", {}, "Mouse"), element("dl", {}, ...MOUSE.map(row)),
    element("button", { type: "button", class: "primary", on: { click: close } }, "Close"));
  document.body.append(dialog);
  dialog.showModal();
}
