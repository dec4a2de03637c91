// @ts-check
/** Texts from a database, as a person can trust them. Pure: no document, no state. */

/** Controls, and marks that are not seen: some turn the text around them, so that it shows something else. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/** The text with such characters as numbers: "a\u202eb". null stays null. */
export function visible(text) {
  return text === null
    ? null
    : text.replace(UNSEEN, (mark) => `\\u${mark.codePointAt(0).toString(16).padStart(4, "0")}`);
}
