"""What the demo says at its end, and whether it is what it should be."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_agari_provider.local.demo.alert_endpoints import Received
from airflow_agari_provider.local.demo.breakage import BREAKAGES, Evidence
from airflow_agari_provider.local.demo.published_day import Organisation
from airflow_agari_provider.local.demo.setup import Options

PUBLISHED = Path(__file__).parent / "discrepancy_2016-04-28.csv"
LINE_LENGTH = 160  # characters of an alert's line to print; all of it is in the run's folder


@dataclass(frozen=True)
class Outcome:
    """
    What a run left behind.

    :param state: of the DAG run.
    :param report: what the discrepancy check returned, or nothing if the run did not get that far.
    :param tasks: task instances as Airflow's API gives them.
    :param queued: messages in the importers' queue.
    :param dead_letters: messages in its dead-letter queue.
    :param run_seconds: from the trigger to the end of the run.
    :param seconds: of the whole demo.
    """

    state: str
    report: dict[str, Any]
    tasks: Sequence[dict[str, Any]]
    queued: int
    dead_letters: int
    received: Sequence[Received]
    run_seconds: float
    seconds: float

    def table(self) -> list[list[str]]:
        """Header and rows of the report."""
        rows = [self.report.get("columns", []), *self.report.get("rows", [])]
        return [[str(cell) for cell in row] for row in rows]


def expected_table(options: Options) -> list[list[str]]:
    """Header and rows that the report must have: the published file as it is, or the scaled day's own numbers."""
    with PUBLISHED.open(newline="") as file:
        published = list(csv.reader(file))
    if options.messages is None:
        return published
    return [published[0], *(_expected_row(organisation) for organisation in options.organisations)]


def _expected_row(organisation: Organisation) -> list[str]:
    """A row without a loss, by the rules that the published table shows; percentages are of the collector's count."""
    collector, scored, nrt = organisation.collector, organisation.scored, organisation.nrt
    percent = f"{(scored - nrt) * 100 / collector:.1f}"
    counts = [organisation.org_id, collector, scored, scored, 0, 0.0, nrt, scored - nrt, percent, organisation.skipped]
    return [*(str(count) for count in counts), ""]


def checks(options: Options, outcome: Outcome) -> dict[str, bool]:
    """What must hold, in words: whether it does."""
    table_as_expected = outcome.table() == expected_table(options)
    found = {
        f"the run ended in state {outcome.state}": outcome.state == "success",
        "the report was mailed": any(message.channel == "mail" for message in outcome.received),
    }
    if options.breakage is None:
        return {
            **found,
            "the report equals the expected table in every cell": table_as_expected,
            "the queues are empty": outcome.queued == outcome.dead_letters == 0,
        }
    breakage = BREAKAGES[options.breakage]
    evidence = Evidence(
        verdict=outcome.report.get("verdict", "none"),
        tries={task["task_id"]: task["try_number"] for task in outcome.tasks},
        dead_letters=outcome.dead_letters,
        table_as_expected=table_as_expected,
        received=list(outcome.received),
    )
    return {**found, breakage.done or "nothing was broken": bool(breakage.done), **breakage.expected(evidence)}


def _first_lines(message: Received) -> list[str]:
    """The text's first line, and what comes next: the exception, the first finding, how late it is."""
    body = message.body if isinstance(message.body, dict) else {}
    blocks = "\n".join(block.get("text", {}).get("text", "") for block in body.get("blocks") or [])
    _, _, behind_the_headline = blocks.partition("\n")
    texts = [f"{body.get('message_type', '')} {message.text}".strip(), behind_the_headline, body.get("details", "")]
    lines = [line.strip("`") for text in texts for line in text.splitlines() if line.strip("` ")]
    return list(dict.fromkeys(lines))


def print_outcome(options: Options, outcome: Outcome, say: Callable[[str], None]) -> bool:
    """Say what a person wants to know; returns whether everything came out as it should."""
    say("\n" + outcome.report.get("text", "There is no report: the run did not get that far."))
    say("\nAlerts and mails")
    for message in outcome.received:
        for channel, line in zip((message.channel, ""), _first_lines(message), strict=False):
            say(f"  {channel:<10} {line[:LINE_LENGTH]}")
    if not outcome.received:
        say("  none")
    say("\nSeconds by task")
    started = [task for task in outcome.tasks if task["start_date"]]
    for task in sorted(started, key=lambda task: str(task["start_date"])):
        again = f"  (try {task['try_number']})" if task["try_number"] > 1 else ""
        say(f"  {task['task_id']:<34} {task['duration'] or 0:6.1f}{again}")
    say(f"\n  {'from the trigger to the end of the run':<40} {outcome.run_seconds:6.1f}")
    say(f"  {'the whole demo':<40} {outcome.seconds:6.1f}\n")
    found = checks(options, outcome)
    for text, good in found.items():
        say(f"  {'ok    ' if good else 'FAILED'} {text}")
    return all(found.values())
