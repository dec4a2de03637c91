/** Tables that can be sorted and copied as text. */

import { plain } from "./csv.js";
import { element } from "./dom.js";

/**
 * Rows in the order of a column; unknown values always come last, in both directions. Pure.
 *
 * @param {string|null} key of the column to sort by; its ``value`` returns a number or a text. null: as the rows come.
 */
export function sorted(rows, columns, key, descending) {
  if (key === null) return rows;
  const value = columns.find((column) => column.key === key)?.value ?? columns[0].value;
  const known = (row) => value(row) !== null && value(row) !== undefined;
  const compare = (left, right) => {
    const [one, other] = [value(left), value(right)];
    return typeof one === "string" ? one.localeCompare(other) : one - other;
  };
  const ordered = rows.filter(known).sort(compare);
  return [...(descending ? ordered.reverse() : ordered), ...rows.filter((row) => !known(row))];
}

/** Whether a search finds one of the names, whatever their case. Pure. */
export function found(search, ...names) {
  return names.some((name) => name.toLowerCase().includes(search.toLowerCase()));
}

/** The table as tab-separated text for spreadsheets and chats. A spreadsheet reads no name as a formula. Pure. */
export function asText(rows, columns) {
  const text = (column, row) => {
    const shown = String((column.text ?? column.value)(row)).replace(/\s+/g, " ");
    return column.name ? plain(shown) : shown;
  };
  return [columns.map((column) => column.title), ...rows.map((row) => columns.map((column) => text(column, row)))]
    .map((cells) => cells.join("\t"))
    .join("\n");
}

/**
 * @param {object[]} columns ``key``, ``title``, ``value(row)`` to sort by, ``text(row)`` to read, ``hint``,
 *   ``node(row)`` instead of the text, ``csv``: names and values in a file, ``name``: this column names the row,
 *   ``left``: the column is left-aligned.
 * @param {(key: string, descending: boolean) => void} onSort
 * @param {number} [most] so many rows are shown; thousands would keep the browser busy for seconds.
 */
export function table(
  caption,
  rows,
  columns,
  { sort, descending, onSort, rowClass = () => null, most = Number.POSITIVE_INFINITY },
) {
  const head = columns.map((column) => {
    const current = column.key === sort;
    const next = current ? !descending : !column.name;
    const arrow = current ? (descending ? " ↓" : " ↑") : "";
    const button = element(
      "button",
      {
        type: "button",
        "data-key": `sort-${column.key}`,
        title: column.hint,
        on: { click: () => onSort(column.key, next) },
      },
      column.title + arrow,
    );
    const order = current ? (descending ? "descending" : "ascending") : null;
    return element(
      "th",
      {
        scope: "col",
        "aria-sort": order,
        "data-column": column.key,
        class: column.name ? "name" : column.left ? "text" : null,
      },
      button,
    );
  });
  const body = sorted(rows, columns, sort, descending)
    .slice(0, most)
    .map((row) =>
      element(
        "tr",
        { class: rowClass(row) },
        ...columns.map((column) =>
          element(
            column.name ? "th" : "td",
            column.name ? { scope: "row", class: "name" } : { class: column.left ? "text" : null },
            column.node ? column.node(row) : String((column.text ?? column.value)(row)),
          ),
        ),
      ),
    );
  return element(
    "table",
    {},
    element("caption", {}, caption),
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...body),
  );
}
