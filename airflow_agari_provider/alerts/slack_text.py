"""Text for Slack that makes no link and no mention, and fits."""

from __future__ import annotations

import re
from typing import Any

SECTION_CHARACTERS = 3000  # Slack refuses more in the text of one section; API reference, "Section block"
PARTIAL = re.compile(r"(&[a-z]{0,3}|<[^>]*)$")  # the rest of an escape, a link or a mention after a cut

_DIRECTIONS = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # Unicode, "Bidi_Control"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str, limit: int = SECTION_CHARACTERS, preformatted: bool = False) -> str:
    """
    Escape a text, so that it makes no link and no mention, and cut it to a number of characters as sent.

    https://docs.slack.dev/messaging/formatting-message-text#escaping

    Marks that change the direction of text are left out: a name could show what it is not.

    :param preformatted: for text between backticks, and for names: backticks, which would end the block or make the
        rest of a message code, become apostrophes.
    """
    escapes = {**_ESCAPES, "`": "'"} if preformatted else _ESCAPES
    text = _DIRECTIONS.sub("", text)
    parts: list[str] = []
    length = 0
    for character in text:
        part = escapes.get(character, character)
        length += len(part)
        if length > limit - 1:
            return "".join(parts) + "…"
        parts.append(part)
    return "".join(parts)


def section(text: str) -> dict[str, Any]:
    """Return a block with this mrkdwn text, cut to what Slack takes."""
    if len(text) > SECTION_CHARACTERS:
        text = PARTIAL.sub("", text[: SECTION_CHARACTERS - 1]) + "…"
    # verbatim: a bare address, #channel or @here in the data is text; our own links and mentions keep their markup
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}
