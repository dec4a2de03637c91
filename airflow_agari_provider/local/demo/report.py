"""The demo's final output, and the checks whether its outcome is as expected."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.local.demo.alert_endpoints import Received
from airflow_agari_provider.local.demo.breakage import BREAKAGES, Evidence, disturbs
from airflow_agari_provider.local.demo.published_day import Organisation
from airflow_agari_provider.local.demo.setup import Options

PUBLISHED = Path(__file__).parent / "discrepancy_2016-04-28.csv"
HEAD = "RDAs 22058, Messages 261254"  # as published
LINE_LENGTH = 160  # characters to print of an alert's line; the whole alert is in the run's folder


@dataclass(frozen=True)
class Outcome:
    """
    The outcome of a run.

    :param state: state of the DAG run.
    :param report: what the discrepancy check returned; empty if the run did not get that far.
    :param tasks: task instances as Airflow's API returns them.
    :param queued: number of messages in the importers' queue.
    :param dead_letters: number of messages in its dead-letter queue.
    :param received: alerts and mails that arrived.
    :param verdicts: verdict of each hour's report, by hour; empty if the day was one run.
    :param run_seconds: seconds from the trigger to the end of the run.
    :param seconds: seconds of the whole demo.
    """

    state: str
    report: dict[str, Any]
    tasks: Sequence[dict[str, Any]]
    queued: int
    dead_letters: int
    received: Sequence[Received]
    run_seconds: float
    seconds: float
    verdicts: Mapping[str, str] = field(default_factory=dict)

    def table(self) -> list[list[str]]:
        """Return header and rows of the report."""
        rows = [self.report.get("columns", []), *self.report.get("rows", [])]
        return [[str(cell) for cell in row] for row in rows]


def expected_table(options: Options) -> list[list[str]]:
    """Return the header and rows that the report must have: the published file, or the numbers of the scaled day."""
    with PUBLISHED.open(newline="") as file:
        published = list(csv.reader(file))
    if options.messages is None:
        return published
    return [published[0], *(_expected_row(organisation) for organisation in options.organisations)]


def _expected_row(organisation: Organisation) -> list[str]:
    """Return a row without a loss, by the rules of the published table; percentages are of the collector's count."""
    collector, scored, nrt = organisation.collector, organisation.scored, organisation.nrt
    percent = f"{(scored - nrt) * 100 / collector:.1f}"
    counts = [organisation.org_id, collector, scored, scored, 0, 0.0, nrt, scored - nrt, percent, organisation.skipped]
    return [*(str(count) for count in counts), ""]


def checks(options: Options, outcome: Outcome) -> dict[str, bool]:
    """Return what must be true, as text -> whether it is."""
    table_as_expected = outcome.table() == expected_table(options)
    found = {
        f"the run ended in state {outcome.state}": outcome.state == "success",
        "the report was mailed": any(message.channel == "mail" for message in outcome.received),
        **_checks_of_hours(options, outcome),
    }
    if options.breakage is None:
        return {
            **found,
            "the report equals the expected table in every cell": table_as_expected,
            **_published_head(options, outcome),
            "the queues are empty": outcome.queued == outcome.dead_letters == 0,
            "nobody was alerted": not any(map(disturbs, outcome.received)),
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


def _checks_of_hours(options: Options, outcome: Outcome) -> dict[str, bool]:
    """Return what must be true of the hours' own reports; nothing if the day was one run."""
    if not options.hourly:
        return {}
    wrong = sorted(hour for hour, verdict in outcome.verdicts.items() if verdict != "ok")
    mails = sum(message.channel == "mail" for message in outcome.received)
    return {
        f"each of the 24 hours mailed its report ({mails} mails)": mails == len(outcome.verdicts) == 24,
        f"the hours that alarm are: {', '.join(wrong) or 'none'}": len(wrong) == (options.breakage is not None),
    }


def _published_head(options: Options, outcome: Outcome) -> dict[str, bool]:
    if options.messages is not None or options.hourly:  # an hour's head has the domains of that hour
        return {}
    return {f"the report's head has {HEAD}": HEAD in outcome.report.get("text", "").split("\n")[0]}


def _first_lines(message: Received) -> list[str]:
    """Return the first line of a message and the lines after it: the exception, the first finding, or the delay."""
    body = message.body if isinstance(message.body, dict) else {}
    blocks = "\n".join(block.get("text", {}).get("text", "") for block in body.get("blocks") or [])
    _, _, behind_the_headline = blocks.partition("\n")
    texts = [f"{body.get('message_type', '')} {message.text}".strip(), behind_the_headline, body.get("details", "")]
    lines = [line.strip("`") for text in texts for line in text.splitlines() if line.strip("` ")]
    return list(dict.fromkeys(lines))


def print_outcome(options: Options, outcome: Outcome, say: Callable[[str], None]) -> bool:
    """Print the outcome for a person. Return whether every check passed."""
    say("\n" + outcome.report.get("text", "There is no report: the run did not get to its last task."))
    say("\nAlerts and mails")
    for message in outcome.received:
        for channel, line in zip((message.channel, ""), _first_lines(message), strict=False):
            say(f"  {channel:<10} {cut(line, LINE_LENGTH, '…')}")
    if not outcome.received:
        say("  none")
    say(f"\nSeconds by {'hour' if options.hourly else 'task'}")
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
