/** Controls that show the page's state and change it. Each is ``{node, sync(page)}``. */

import { element } from "./dom.js";

/** A choice of one option. @param {(page) => [string, string][]} options value and text of each option. */
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
      if (key !== shown)
        select.replaceChildren(...wanted.map(([choosable, text]) => element("option", { value: choosable }, text)));
      shown = key;
      select.value = value(page);
    },
  };
}

/** The choice of the time zone. @param {object} frame as for the pages. */
export function timeChoice({ chosenZone, go }) {
  const airflow = chosenZone ? [["airflow", chosenZone]] : [];
  return choice({
    name: "time",
    label: "Time",
    title: chosenZone ? `In Airflow you chose ${chosenZone}` : undefined,
    options: () => [...airflow, ["utc", "UTC"], ["local", "browser"]],
    value: ({ state }) => state.zone ?? (state.local ? "local" : "utc"),
    pick: (zone) =>
      go({ local: zone !== "utc", zone: zone === "airflow" || (zone === "utc" && chosenZone) ? zone : null }),
  });
}

/** A checkbox: yes or no. */
export function toggle({ name, label, title, value, set, visible = () => true }) {
  const box = element("input", { type: "checkbox", "data-control": name, on: { change: () => set(box.checked) } });
  const node = element("label", { class: "toggle", title }, box, label);
  return {
    node,
    sync(page) {
      node.hidden = !visible(page);
      box.checked = value(page);
    },
  };
}

/** Checkboxes for any number of options; no checked box means all options. */
export function several({ name, legend, options, chosen, set }) {
  const boxes = options.map(([value, text]) => {
    const box = element("input", {
      type: "checkbox",
      value,
      "data-control": `${name}-${value}`,
      on: { change: () => set(boxes.filter((one) => one.checked).map((one) => one.value)) },
    });
    box.text = text;
    return box;
  });
  return {
    node: element(
      "fieldset",
      {},
      element("legend", {}, legend),
      ...boxes.map((box) => element("label", { class: "toggle" }, box, box.text)),
    ),
    sync(page) {
      boxes.forEach((box) => {
        box.checked = chosen(page).includes(box.value);
      });
    },
  };
}

/** Controls folded under a label that counts those in use; unfolded from the start if any is in use. */
export function folded({ name, label, count }, controls) {
  const summary = element("summary", { class: "toggle", "data-control": name });
  const node = element(
    "details",
    { class: "folded" },
    summary,
    element("div", { class: "row" }, ...controls.map((control) => control.node)),
  );
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

/** A day. @param {(text: string) => void} set gets a date such as "2026-11-20", or "". */
export function dateField({ name, label, value, set }) {
  const input = element("input", { type: "date", "data-control": name, on: { change: () => set(input.value) } });
  return {
    node: element("label", { class: "field" }, element("span", {}, label), input),
    sync(page) {
      input.value = value(page);
    },
  };
}

/** A search box; the search runs while the reader types. */
export function searchBox({ label, value, set }) {
  const input = element("input", {
    type: "search",
    "data-control": "search",
    placeholder: label,
    "aria-label": label,
    on: { input: () => set(input.value) },
  });
  return {
    node: input,
    sync(page) {
      if (input.value !== value(page)) input.value = value(page);
    },
  };
}

/** A box with a title, a sentence, and at most one button. */
export function noticeBox({ title, text }, label, press) {
  const button = label
    ? element("button", { type: "button", class: "primary", "data-key": "remedy", on: { click: press } }, label)
    : null;
  return element("div", { class: "notice", role: "alert" }, element("h2", {}, title), element("p", {}, text), button);
}
