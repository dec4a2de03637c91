"""A miss as a Slack message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from airflow_agari_provider.alerts.miss import SlaMiss, TaskInState
from airflow_agari_provider.alerts.slack_text import SECTION_CHARACTERS, escaped, section

TEXT_CHARACTERS = 4000  # of the text next to the blocks; API reference, "chat.postMessage"
BLOCKING_SHOWN = 15  # still readable on a phone; the run's page shows the rest
NAME_CHARACTERS = 150  # of any name or date that comes from data


def slack_message(
    miss: SlaMiss, text: str | None = None, mentions: Sequence[str] = (), in_doubt: bool = False
) -> dict[str, Any]:
    """
    Return ``text`` and ``blocks`` of a message; the text is what notifications show.

    :param text: plain text in place of the published sentence; each of its characters is shown unchanged.
    :param mentions: whom to mention, in Slack's own form: ``<!channel>``, ``<@U012AB3CD>``, ``<!subteam^S012>``.
    :param in_doubt: whether it may have been sent before; the message then says so.
    """
    plain = escaped(text if text is not None else miss.text, TEXT_CHARACTERS)
    if text is None:
        plain_date, plain_task = _name(miss.date), _name(miss.task_id or "")
        task, date = _link(miss.task_url, plain_task), _link(miss.run_url, plain_date)
        safe = replace(miss, environment=_name(miss.environment))
        headline = safe.sentence(task, date, _name(miss.dag_id))
    else:
        headline = plain
    lines = [" ".join([*mentions, headline]), escaped(miss.details, SECTION_CHARACTERS // 4, preformatted=True)]
    blocks = [section("\n".join(filter(None, lines)))]
    if miss.collected:
        blocks.append(section(_listed("", [f"• {_name(name)}" for name in miss.collected])))
    elif miss.blocking and miss.is_open:
        blocks.append(section(_blocking(miss.blocking)))
    if in_doubt:
        blocks.append(section("_This message may come twice: it could not be found out whether it was sent before._"))
    return {"text": plain, "blocks": blocks}


def _name(text: str) -> str:
    return escaped(text, NAME_CHARACTERS, preformatted=True)


def _blocking(tasks: Sequence[TaskInState]) -> str:
    shown = [f"• {_link(task.url, _name(task.name))} ({task.standing})" for task in tasks]
    return _listed("Waiting for:", shown)


def _listed(head: str, shown: Sequence[str]) -> str:
    """Join as many lines as are readable and fit; the last line says how many are left out."""
    lines, length = [head], len(head)
    for line in shown[:BLOCKING_SHOWN]:
        length += len(line) + 1
        if length > SECTION_CHARACTERS - 50:  # room for the last line
            break
        lines.append(line)
    if left := len(shown) - (len(lines) - 1):
        lines.append(f"… and {left} more")
    return "\n".join(lines).strip()


def _link(url: str, label: str) -> str:
    """Return a link, if the address is known and short enough to leave room for the text."""
    address = url.replace("|", "%7C").replace("<", "%3C").replace(">", "%3E")
    return f"<{address}|{label}>" if url and len(address) < SECTION_CHARACTERS // 3 else label
