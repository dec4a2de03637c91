/** Controls that show the state of the page and ask for another one. Each is ``{node, sync(page)}``. */

import { element } from "./dom.js";

/** A choice of one. @param {(page) => [string, string][]} options value and text of each. */
export function choice({ name, label, title, options, value, pick, visible = () => true }) {
  const select = element("select", { "data-control": name, title, on: { change: () => pick(select.value) } });
  const node = element("label", { class: "field" }, element("span", {}, label), select);
  let shown = "";
  return {
    node,
    sync(page) {
      node.hidden = !visible(page);
      const wanted = options(page);
      const key = JSON.stringify(wanted);
      if (key !== shown) select.replaceChildren(...wanted.map(([choosable, text]) => element("option", { value: choosable }, text)));
      shown = key;
      select.value = value(page);
    },
  };
}

/** Yes or no. */
export function toggle({ name, label, title, value, set }) {
  const box = element("input", { type: "checkbox", "data-control": name, on: { change: () => set(box.checked) } });
  return {
    node: element("label", { class: "toggle", title }, box, label),
    sync(page) {
      box.checked = value(page);
    },
  };
}

/** Any of several; none of them means all. */
export function several({ name, legend, options, chosen, set }) {
  const boxes = options.map(([value, text]) => {
    const box = element("input", { type: "checkbox", value, "data-control": `${name}-${value}`, on: { change: () => set(boxes.filter((one) => one.checked).map((one) => one.value)) } });
    box.text = text;
    return box;
  });
  return {
    node: element("fieldset", {}, element("legend", {}, legend), ...boxes.map((box) => element("label", { class: "toggle" }, box, box.text))),
    sync(page) {
      boxes.forEach((box) => { box.checked = chosen(page).includes(box.value); });
    },
  };
}

/** Controls behind a word that says how many of them are in use; open from the start where any is. */
export function folded({ name, label, count }, controls) {
  const summary = element("summary", { class: "toggle", "data-control": name });
  const node = element("details", { class: "folded" }, summary, element("div", { class: "row" }, ...controls.map((control) => control.node)));
  return {
    node,
    sync(page) {
      const used = count(page);
      summary.textContent = used ? `${label} (${used})` : label;
      node.open ||= used > 0;
      controls.forEach((control) => control.sync(page));
    },
  };
}

/** A button. @param {(page) => boolean} [usable] whether it can be pressed. @param {(page) => boolean} [visible] */
export function action({ name, label, title, press, usable = () => true, visible = () => true }) {
  const node = element("button", { type: "button", "data-control": name, title, on: { click: press } }, label);
  return {
    node,
    sync(page) {
      node.disabled = !usable(page);
      node.hidden = !visible(page);
    },
  };
}

/** A text to look for, taken over while it is typed. */
export function searchBox({ label, value, set }) {
  const input = element("input", { type: "search", "data-control": "search", placeholder: label, "aria-label": label, on: { input: () => set(input.value) } });
  return {
    node: input,
    sync(page) {
      if (input.value !== value(page)) input.value = value(page);
    },
  };
}

/** A box with a title, a sentence, and one thing to do. */
export function noticeBox({ title, text }, label, press) {
  const button = label ? element("button", { type: "button", class: "primary", "data-key": "remedy", on: { click: press } }, label) : null;
  return element("div", { class: "notice", role: "alert" }, element("h2", {}, title), element("p", {}, text), button);
}
