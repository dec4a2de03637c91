"""Build the answers of the discrepancies' API from the stored history; both web servers call this module."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.discrepancy.history import BAD
from airflow_agari_provider.discrepancy.history_band import volume_bands
from airflow_agari_provider.discrepancy.history_figures import (
    WARNED,
    CheckFigures,
    bad_windows,
    check_figures,
    first_bad_step,
    standing,
    worst_first,
    worst_keys,
)
from airflow_agari_provider.discrepancy.history_reading import CheckRun, RecordedRuns, counts_of
from airflow_agari_provider.discrepancy.report_csv import console_url
from airflow_agari_provider.discrepancy.stored_run import Difference, StoredRun
from airflow_agari_provider.views.discrepancies_question import ChecksQuestion

MOST_CHECKS = 1000  # in one answer
MOST_KEYS = 200  # of one check
MOST_CELLS = 30_000  # about two megabytes
LARGEST = 2**53  # JavaScript and Grafana read larger numbers wrong
# Columns of the answers. Later versions may add some.
_RUN: dict[str, Callable[[StoredRun], Any]] = {
    "run_at": lambda run: run.run_at,
    "run_id": lambda run: run.run_id,
    "window": lambda run: run.window,
    "verdict": standing,
    "checked_at": lambda run: run.checked_at,
    "keys": lambda run: run.keys,
    "discrepant": lambda run: run.discrepant,
    "report_url": lambda run: run.report_url or None,
    "report_link": lambda run: _link(run.report_url),
}


def _of_the_last(value: Callable[[StoredRun], Any]) -> Callable[[CheckFigures], Any]:
    return lambda check: value(check.last)


CHECK_COLUMNS: dict[str, Callable[[CheckFigures], Any]] = {
    "dag_id": lambda check: check.dag_id,
    "task_id": lambda check: check.task,
    "runs": lambda check: check.runs,
    "bad": lambda check: check.bad,
    "warned": lambda check: check.warned,
    "bad_windows": lambda check: check.bad_windows,
    "verdicts": lambda check: check.verdicts,
    **{f"last_{name}": _of_the_last(value) for name, value in _RUN.items()},
}
RUN_COLUMNS: dict[str, Callable[[StoredRun], Any]] = {
    **_RUN,
    "alarms": lambda run: run.alarms,
    "good_stage": lambda run: first_bad_step(run)[0] or None,
    "bad_stage": lambda run: first_bad_step(run)[1] or None,
    "told": lambda run: [
        {"channel": channel, "kind": telling.kind, "at": telling.told_at} for channel, telling in run.tellings.items()
    ],
}


@dataclass(frozen=True)
class Checks:
    """
    What the history tells of all checks.

    :param runs: of each check, the newest first.
    :param complete: whether the window has no more runs than were read.
    :param note: why there may be none; empty if there is no reason but that nothing was checked.
    """

    runs: Sequence[CheckRun]
    complete: bool
    note: str = ""


def checks_answer(found: Checks, question: ChecksQuestion, permitted: Collection[str], now: float) -> dict[str, Any]:
    """
    Return the answer to ``GET api/discrepancies``.

    :param permitted: ids of the DAGs that the reader may read; of checks of other DAGs they only learn the number.
    """
    since, _ = question.window(now)
    figures = check_figures(found.runs)
    readable = [each for each in figures if each.dag_id in permitted]
    chosen = [each for each in readable if not question.dag_ids or each.dag_id in question.dag_ids]
    listed = [each for each in chosen if each.is_problem or not question.problems]
    return {
        "since": since,
        "until": question.until,
        "complete": found.complete,
        "note": found.note or None,
        "dag_ids": sorted({each.dag_id for each in readable}),
        "counts": {
            "checks": len(chosen),
            "problems": sum(each.is_problem for each in chosen),
            "bad_windows": sum(each.bad_windows for each in chosen),
            "runs": sum(each.runs for each in chosen),
            "bad": sum(each.bad for each in chosen),
            "listed": min(len(listed), MOST_CHECKS),
            "hidden": len(figures) - len(readable),
        },
        "checks": {name: [of(each) for each in listed[:MOST_CHECKS]] for name, of in CHECK_COLUMNS.items()},
    }


def runs_answer(found: RecordedRuns, question: ChecksQuestion, now: float) -> dict[str, Any]:
    """Return the answer to ``GET api/discrepancies/runs``: stages, runs and keys of one check, the oldest run first."""
    since, until = question.window(now)
    within = [run for run in found.runs if since <= run.checked_at < until]
    shown = [run for run in within if standing(run) in (BAD, WARNED)] if question.problems else within
    stages = list(dict.fromkeys(stage for run in reversed(shown) for stage in run.totals))
    keys = worst_keys(shown)
    return {
        "dag_id": question.dag_ids[0],
        "task_id": question.task,
        "since": since,
        "until": question.until,
        "complete": found.complete,
        "older": any(run.checked_at < since for run in found.runs),
        "counts": {
            "stored": len(found.runs),
            "runs": len(within),
            "bad": sum(standing(run) == BAD for run in within),
            "warned": sum(standing(run) == WARNED for run in within),
            "bad_windows": len(bad_windows(found.runs)),
            "keys": len(keys),
        },
        "bad_windows": bad_windows(found.runs),
        "stages": stages,
        "runs": {name: [of(run) for run in shown] for name, of in RUN_COLUMNS.items()},
        "totals": [[_exact(run.totals.get(stage)) for run in shown] for stage in stages],
        "band": _band(found.runs, shown, stages),
        **_cells(shown, stages, keys),
    }


def _band(runs: Sequence[StoredRun], shown: Sequence[StoredRun], stages: Sequence[str]) -> dict[str, Any]:
    """The usual volume of the first stage that the check judges, or else of the first; all stored runs teach it."""
    judged = {stage for run in shown for stage in run.usual}
    stage = next((each for each in stages if each in judged), stages[0] if stages else None)
    if stage is None:
        return {"stage": None, "low": [], "high": []}
    bands = volume_bands(runs, stage, {run.run_at for run in shown})
    low, high = ([bands[run.run_at][side] if run.run_at in bands else None for run in shown] for side in (0, 1))
    return {"stage": stage, "low": [_exact(count) for count in low], "high": [_exact(count) for count in high]}


def _cells(shown: Sequence[StoredRun], stages: Sequence[str], keys: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """What each run stored of the worst keys; of a key that is fine in a run, its counts."""
    keys = keys[:MOST_KEYS]
    places = {key: place for place, (key, _) in enumerate(keys)}
    rows: list[tuple[int, int, Difference]] = []
    for number, run in enumerate(shown):
        told = {each.key for each in run.differences if each.severity != "none"}
        rows += [
            (number, places[each.key], each)
            for each in worst_first(run.differences)
            if each.key in places and (each.severity != "none" or each.key not in told)
        ]
    if len(rows) > MOST_CELLS:  # the rows of the least bad keys go
        rows = sorted(sorted(rows, key=lambda row: row[1])[:MOST_CELLS], key=lambda row: row[0])
    return {
        "keys": {"key": [key for key, _ in keys], "runs": [runs for _, runs in keys]},
        "cells": {
            "run": [run for run, _, _ in rows],
            "key": [key for _, key, _ in rows],
            "comparison": [each.comparison or None for _, _, each in rows],
            "difference": [_exact(each.difference) for _, _, each in rows],
            "percent": [_percent(each) for _, _, each in rows],
            "severity": [each.severity for _, _, each in rows],
            "good_stage": [each.good_stage or None for _, _, each in rows],
            "bad_stage": [each.bad_stage or None for _, _, each in rows],
            "counts": [_counts(each, stages) for _, _, each in rows],
        },
    }


def _counts(each: Difference, stages: Sequence[str]) -> list[int | None] | None:
    counts = counts_of(each)
    return None if counts is None else [_exact(counts.get(stage)) for stage in stages]


def _percent(each: Difference) -> float | None:
    """Percentage that a report shows, with its sign; ``None``: there was nothing of which it could be a part."""
    return round(each.difference * 100 / each.percent_of, 1) if each.percent_of else None


def _exact(number: int | None) -> int | None:
    return None if number is None else max(-LARGEST, min(LARGEST, number))


def _link(report_url: str) -> str | None:
    try:
        return console_url(report_url) if report_url else None
    except ValueError:  # no URL of S3
        return None
