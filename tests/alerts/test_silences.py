"""Whom a silence is for, and when it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.alerts.silences import Quiet, Silence, WrongSilence, checked, quiet_spans, quiet_until

SILENCE = Silence("1", "telemetry", "*", 1000.0, 2000.0, "ada", "database upgrade")


@pytest.mark.parametrize(
    ("changes", "covers"),
    [
        ({}, True),
        ({"dag": "*"}, True),
        ({"dag": "tele*"}, True),
        ({"dag": "Telemetry"}, False),
        ({"dag": "tele"}, False),
        ({"task": "load"}, True),
        ({"task": "l??d"}, True),
        ({"task": "loa"}, False),
        ({"task": "__dag_run__"}, False),
        ({"environment": "EP_*"}, True),
        ({"environment": "PROD"}, False),
    ],
    ids=str,
)
def test_a_silence_is_for_what_fits_its_patterns(changes, covers):
    assert replace(SILENCE, **changes).covers("EP_STAGE", "telemetry", "load") is covers


@pytest.mark.parametrize(("pattern", "covers"), [("*", True), ("__dag_run__", True), ("load", False)])
def test_the_run_has_an_id_of_its_own_in_a_silence(pattern, covers):
    assert replace(SILENCE, task=pattern).covers("EP_STAGE", "telemetry", None) is covers


@pytest.mark.parametrize(
    ("now", "spans", "until"),
    [
        (999.9, [(1000, 2000)], None),
        (1000.0, [(1000, 2000)], 2000),
        (2000.0, [(1000, 2000)], None),
        (1500.0, [(1000, 2000), (1800, 2500)], 2500),
        (1500.0, [(2000, 3000), (1000, 2000)], 3000),
        (1500.0, [(1000, 2000), (2001, 3000)], 2000),
        (1500.0, [(1000, 3000), (1200, 1800)], 3000),
        (1500.0, [], None),
    ],
)
def test_silences_without_a_gap_are_one(now, spans, until):
    found = quiet_until([Quiet(since, end, f"until {end}") for since, end in spans], now)
    assert (found and found.until) == until


def test_a_silence_that_a_person_ended_is_over_from_then_on():
    ended = replace(SILENCE, ended_at=1500.0)
    (span,) = quiet_spans([ended, replace(SILENCE, dag="other")], "", "telemetry", "load")
    assert span == Quiet(1000.0, 1500.0, "ada: database upgrade (1)")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"until": 900.0}, "must end after it begins, and after now"),
        ({"since": 2000.0}, "must end after it begins"),
        ({"until": 1000.0 + 400 * 86400}, "at most a year"),
        ({"until": float("inf")}, "at most a year"),
        ({"until": float("nan")}, "must end after it begins"),
        ({"who": " "}, "needs 'who'"),
        ({"why": ""}, "needs 'why'"),
        ({"dag": ""}, "needs 'dag'"),
        ({"task": ""}, "needs 'task'"),
        ({"why": "x" * 1001}, "at most 1000 characters, not 1001"),
    ],
    ids=str,
)
def test_a_silence_that_cannot_be_is_refused(changes, problem):
    with pytest.raises(WrongSilence, match=problem):
        checked(replace(SILENCE, **changes), now=950.0)
    assert checked(SILENCE, now=950.0) == SILENCE
