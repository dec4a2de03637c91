"""Edges that a person declares."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest

from airflow_agari_provider.blast_radius.feeds import PARAM, Feeds, feeds_in


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(
    ("feeds", "window", "begin", "end"),
    [
        (Feeds("x", "b"), "2026-11-30T08:15Z", "2026-11-30T08:15Z", "2026-11-30T08:15Z"),
        (Feeds("x", "b", "same hour"), "2026-11-30T08:15:07Z", "2026-11-30T08:00Z", "2026-11-30T09:00Z"),
        (Feeds("x", "b", "day of"), "2026-11-30T23:59Z", "2026-11-30T00:00Z", "2026-12-01T00:00Z"),
        (Feeds("x", "b", "day of"), "2026-11-30T00:00Z", "2026-11-30T00:00Z", "2026-12-01T00:00Z"),
        (
            Feeds("x", "b", "day of", "Europe/Berlin"),
            "2026-11-30T23:30Z",
            "2026-12-01T00:00+01:00",
            "2026-12-02T00:00+01:00",
        ),
        (
            Feeds("x", "b", "day of", "Europe/Berlin"),
            "2026-10-25T12:00Z",
            "2026-10-25T00:00+02:00",
            "2026-10-26T00:00+01:00",
        ),
        (Feeds("x", "b", "same hour", "Asia/Kolkata"), "2026-11-30T08:15Z", "2026-11-30T07:30Z", "2026-11-30T08:30Z"),
        (Feeds("x", "b", "same hour", "Europe/Berlin"), "2026-10-25T01:15Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"),
    ],
    ids=["same", "hour", "day", "midnight", "another day", "25 hours", "half hours", "the hour that comes twice"],
)
def test_the_fed_runs_lie_in_a_span(feeds, window, begin, end):
    assert feeds.span(seconds(window)) == (seconds(begin), seconds(end))


def test_several_can_be_declared_for_a_task_and_are_read_back():
    task = SimpleNamespace(params={})
    day, hour = Feeds("scored/", "report", "day of").of(task), Feeds("scored/", "import", "same hour").of(task)
    assert feeds_in(task.params[PARAM]) == [day, hour]


@pytest.mark.parametrize("stored", [None, 7, "nonsense", "[1]", '[{"what": "x"}]', '{"what": 1}', "null"])
def test_a_parameter_that_is_none_of_ours_declares_nothing(stored):
    assert list(feeds_in(stored)) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"window": "the day"}, "window is one of same, same hour, day of, not 'the day'"),
        ({"timezone": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"timezone": "../x"}, "no time zone"),
        ({"what": " "}, "needs 'what'"),
        ({"dag": ""}, "needs 'dag'"),
    ],
)
def test_what_cannot_be_is_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        Feeds(**{"what": "scored/", "dag": "report", **arguments})
