// @ts-check
/** Keep the keyboard's focus while the page is drawn again. */

const NAMED = "[data-control], [data-key]";
const nameOf = (node) => node.dataset.control ?? node.dataset.key;
const usable = (node) => Boolean(node?.isConnected) && !node.disabled && !node.closest("[hidden]");

/** @returns {HTMLElement | undefined} */
function named(name) {
  return [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(NAMED))].find(
    (node) => nameOf(node) === name && usable(node),
  );
}

/** Name of the element with the focus; null if it has no name. */
export function focused() {
  const held = document.activeElement?.closest(NAMED);
  return held ? nameOf(held) : null;
}

/** Give the focus to the first of these named elements that the page has. */
export function focusOn(...names) {
  names.map(named).find(Boolean)?.focus({ preventScroll: true });
}

/**
 * Draw, then give the focus back to the element with the same name as before. If that element cannot be used any more,
 * the nearest control gets the focus; if there is none, the page's title.
 */
export function keepFocus(draw) {
  const held = document.activeElement;
  const place = held?.closest(NAMED);
  draw();
  // a browser takes the focus from a hidden or disabled element only when it draws, and then no element has the focus
  const lost = held !== document.body && !usable(held) && [held, document.body].includes(document.activeElement);
  if (place && lost) (named(nameOf(place)) ?? beside(place) ?? named("title"))?.focus({ preventScroll: true });
}

/** The nearest control of the same kind and row that can be used. */
function beside(place) {
  const row = [...(place.closest(".row, nav")?.querySelectorAll(NAMED) ?? [])];
  const distance = (node) => Math.abs(row.indexOf(node) - row.indexOf(place));
  return row
    .filter((node) => usable(node) && node.tagName === place.tagName)
    .sort((one, other) => distance(one) - distance(other))[0];
}
