"""Dead letters as a Slack message."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.queues.dead_letters import excerpt

SLACK_EXCERPT = 580  # characters; a Slack section holds 3,000, and escaping makes five of one


def slack_report(title: str, exception: str | None, sample: str | None) -> tuple[str, list[dict[str, Any]]]:
    """
    Slack text and blocks of a report: the title, and below it the exception and the sample as preformatted text.

    :param title: one line of plain text; escaped here, as all else.
    """
    shown = [exception or "No exception text is known.", *([sample] if sample else [])]
    texts = [_escaped(title), *(f"```{_escaped(excerpt(text, SLACK_EXCERPT))}```" for text in shown)]
    return texts[0], [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in texts]


def _escaped(text: str) -> str:
    """Source: Slack, "Formatting text for app surfaces"; three backticks would end the preformatted text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("```", "'''")
