/** The keyboard's focus, kept while the page is drawn anew around it. */

const NAMED = "[data-control], [data-key]";
const nameOf = (node) => node.dataset.control ?? node.dataset.key;
const usable = (node) => Boolean(node?.isConnected) && !node.disabled && !node.closest("[hidden]");

function named(name) {
  return [...document.querySelectorAll(NAMED)].find((node) => nameOf(node) === name && usable(node));
}

/** Name of what has the focus; null if that has none. */
export function focused() {
  const held = document.activeElement?.closest(NAMED);
  return held ? nameOf(held) : null;
}

/** Give the focus to what has the first of these names that is there. */
export function focusOn(...names) {
  names.map(named).find(Boolean)?.focus({ preventScroll: true });
}

/**
 * Draw, and give the focus back to what had it: to what has the same name now; where that cannot be used any more, to
 * the control beside it; else to the page's title.
 */
export function keepFocus(draw) {
  const held = document.activeElement;
  const place = held?.closest(NAMED);
  draw();
  // a browser takes the focus from what was hidden or disabled only when it draws, and then gives it to nothing
  const lost = held !== document.body && !usable(held) && [held, document.body].includes(document.activeElement);
  if (place && lost) (named(nameOf(place)) ?? beside(place) ?? named("title"))?.focus({ preventScroll: true });
}

/** The nearest control of the same kind and row that can be used. */
function beside(place) {
  const row = [...(place.closest(".row, nav")?.querySelectorAll(NAMED) ?? [])];
  const distance = (node) => Math.abs(row.indexOf(node) - row.indexOf(place));
  return row.filter((node) => usable(node) && node.tagName === place.tagName).sort((one, other) => distance(one) - distance(other))[0];
}
