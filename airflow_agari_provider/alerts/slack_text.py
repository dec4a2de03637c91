"""Text for Slack: it makes no link, mentions nobody, and fits."""

from __future__ import annotations

import re

SECTION_CHARACTERS = 3000  # Slack refuses more in the text of one section; API reference, "Section block"
PARTIAL = re.compile(r"(&[a-z]{0,3}|<[^>]*)$")  # what a cut leaves of an escape, a link or a mention

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str, limit: int = SECTION_CHARACTERS, preformatted: bool = False) -> str:
    """
    Text that makes no link and mentions nobody, cut to a number of characters as sent.

    https://docs.slack.dev/messaging/formatting-message-text#escaping

    :param preformatted: for text between backticks: its own backticks, which would end the block, become apostrophes.
    """
    escapes = {**_ESCAPES, "`": "'"} if preformatted else _ESCAPES
    parts: list[str] = []
    length = 0
    for character in text:
        part = escapes.get(character, character)
        length += len(part)
        if length > limit - 1:
            return "".join(parts) + "…"
        parts.append(part)
    return "".join(parts)
