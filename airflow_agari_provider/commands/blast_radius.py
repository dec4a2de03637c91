"""``agari blast-radius``: which runs a bad run fed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from airflow_agari_provider.blast_radius.graph import BlastRadius
from airflow_agari_provider.blast_radius.report_data import dot_of, json_of
from airflow_agari_provider.blast_radius.report_text import text_of
from airflow_agari_provider.blast_radius.walk import MOST_RUNS
from airflow_agari_provider.commands.times import iso_moment
from airflow_agari_provider.exceptions import AgariError, cut

OUTPUTS: Mapping[str, Callable[[BlastRadius], str]] = {"text": text_of, "json": json_of, "dot": dot_of}
UNKNOWN, STOPPED = 3, 4  # exit codes


class MetadataNotRead(AgariError):
    """
    Airflow's metadata database did not answer.

    :param problem: what its driver says.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"Airflow's metadata database did not answer: {cut(self.problem, 500)}. Run this where Airflow itself "
            "runs, with its configuration. If the statement took too long, ask for a shorter window."
        )


def add_to(rooms: Any) -> None:
    """Add ``blast-radius`` to the commands."""
    says = "show which runs a bad run fed, directly and indirectly"
    more = (
        " It reads Airflow's metadata database, and changes nothing. Exit code: 0 if everything is known, 3 if the "
        "answer has guesses or unknown parts, 4 if it stopped at a limit, 1 if it cannot answer."
    )
    command = rooms.add_parser("blast-radius", help=says, description=f"{says[0].upper()}{says[1:]}.{more}")
    command.add_argument("dag_id", metavar="DAG", help="id of the DAG whose runs were bad")
    command.add_argument(
        "--task", action="append", default=[], metavar="ID", help="a bad task, also several times (default: all tasks)"
    )
    command.add_argument(
        "--from",
        dest="since",
        type=iso_moment,
        required=True,
        metavar="TIME",
        help="runs whose logical date is from then on, such as 2026-11-30T08:00 (UTC) or 2026-11-30T08:00+01:00",
    )
    command.add_argument(
        "--to", dest="until", type=iso_moment, required=True, metavar="TIME", help="and before this time"
    )
    command.add_argument("--output", choices=OUTPUTS, default="text", help="text, json, or dot for Graphviz (text)")
    command.add_argument(
        "--most-runs", type=_count, default=MOST_RUNS, metavar="N", help=f"stop at so many runs ({MOST_RUNS})"
    )
    command.set_defaults(run=_blast_radius, refuse=command.error)


def _blast_radius(told: argparse.Namespace) -> tuple[int, str]:
    if told.until <= told.since:
        told.refuse("--to must be later than --from; runs of that time itself are not in the window")
    from sqlalchemy.exc import SQLAlchemyError

    from airflow_agari_provider.airflow_runs import ask_database
    from airflow_agari_provider.blast_radius.walk import Bounds
    from airflow_agari_provider.views.queries.blast_radius import blast_radius_of

    bounds = Bounds(runs=told.most_runs)
    try:
        answer = ask_database(
            lambda session: blast_radius_of(session, told.dag_id, told.since, told.until, told.task, bounds)
        )
    except SQLAlchemyError as error:
        raise MetadataNotRead(str(getattr(error, "orig", None) or error)) from error
    stopped = any(one.kind == "too_many" for one in answer.unknown)
    return STOPPED if stopped else 0 if answer.complete else UNKNOWN, OUTPUTS[told.output](answer)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs: give 1 or more")
    return int(text)
