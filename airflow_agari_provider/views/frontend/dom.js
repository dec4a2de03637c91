// @ts-check
/** Make elements in one expression. A text always becomes a text node, so a name can never become markup. */

/**
 * @param {object} properties ``on``: listeners by event; ``style``: CSS properties; anything else is an attribute
 *   (true: present, false or null: left out).
 * @param {...(Node|string|null)} children
 */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") Object.entries(value).forEach(([event, listener]) => made.addEventListener(event, listener));
    else if (name === "style") Object.entries(value).forEach(([key, text]) => made.style.setProperty(key, text));
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Save a file in the reader's downloads. */
export function download(name, blob) {
  const address = URL.createObjectURL(blob);
  element("a", { href: address, download: fileName(name) }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A name that every file system accepts; letters of all languages stay. */
function fileName(name) {
  return name
    .replace(/[^\p{L}\p{N}._-]+/gu, "_")
    .replace(/^\.+/, "")
    .slice(-120);
}

/**
 * Copy a text to the clipboard. This also works over plain HTTP, where browsers do not offer the clipboard API.
 *
 * @returns {Promise<boolean>} whether the text was copied.
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const held = /** @type {HTMLElement | null} */ (document.activeElement);
    const area = element("textarea", { class: "offscreen" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    held?.focus({ preventScroll: true });
    return done;
  }
}
