"""Dead letters as a Slack message."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.alerts.slack_text import SECTION_CHARACTERS, escaped, section
from airflow_agari_provider.queues.dead_letters import excerpt

SLACK_EXCERPT = 580  # characters; a Slack section holds 3,000, and escaping turns one character into up to five


def slack_report(
    title: str, exception: str | None, sample: str | None, note: str = ""
) -> tuple[str, list[dict[str, Any]]]:
    """
    Return Slack text and blocks of a report: the title and the note; below, preformatted, the exception and the sample.

    All texts are escaped here.

    :param title: one line of plain text.
    :param exception: text of the failure; None if it is not known.
    :param sample: text of one dead letter; None: the report has no sample.
    :param note: plain text; empty: the report has no note.
    """
    shown = [exception or "No exception text is known.", *([sample] if sample else [])]
    parts = [escaped(excerpt(text, SLACK_EXCERPT), SECTION_CHARACTERS - 6, preformatted=True) for text in shown]
    texts = [escaped(title), *([escaped(note)] if note else []), *(f"```{part}```" for part in parts)]
    return texts[0], [section(text) for text in texts]
