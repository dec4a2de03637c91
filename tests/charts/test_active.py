from __future__ import annotations

import pytest

from airflow_agari_provider.charts.active import (
    ActiveRow,
    Usual,
    by_pool,
    expected_end,
    longer_than_usual,
    oldest_first,
    usual_of,
)

NOW = 1000.0
ROW = ActiveRow("dag", "run", "task", -1, "running", 1, 900.0, "default_pool", 1, "default", None)
USUAL = {("dag", "task"): Usual(60.0, 120.0)}


@pytest.mark.parametrize(
    ("state", "since", "longer", "end"),
    [
        ("running", 980.0, False, 1040.0),
        ("running", 900.0, False, 1020.0),
        ("running", 870.0, True, None),
        ("deferred", 870.0, True, None),
        ("queued", 100.0, None, None),
        ("up_for_retry", 100.0, None, None),
        ("running", None, None, None),
    ],
    ids=["it just began", "beyond the median", "beyond p95", "deferred", "not at work", "between tries", "no start"],
)
def test_a_task_is_late_beyond_what_95_of_100_took_and_has_an_expected_end_until_then(state, since, longer, end):
    row = ROW._replace(state=state, since=since)
    assert (longer_than_usual(row, USUAL, NOW), expected_end(row, USUAL, NOW)) == (longer, end)


def test_what_has_hardly_run_before_has_no_usual_time():
    assert usual_of([1.0] * 4) is None
    assert usual_of([]) is None
    assert usual_of([1.0, 2.0, 3.0, 4.0, 100.0]) == Usual(3.0, pytest.approx(80.8))
    assert (longer_than_usual(ROW, {}, NOW), expected_end(ROW, {}, NOW)) == (None, None)


def test_what_takes_longer_than_usual_comes_first_then_what_is_oldest():
    late = ROW._replace(since=870.0)
    queued = ROW._replace(state="queued", since=100.0)
    unknown = ROW._replace(state="scheduled", since=None)
    assert oldest_first([unknown, ROW, queued, late], USUAL, NOW) == [late, queued, ROW, unknown]


def test_a_pool_says_what_takes_its_slots_and_what_waits_for_one():
    pools = by_pool(
        [
            ROW._replace(slots=3),
            ROW._replace(state="queued"),
            ROW._replace(state="scheduled"),
            ROW._replace(state="deferred"),
            ROW._replace(pool="small"),
        ]
    )
    pool = pools["default_pool"]
    assert (pool["slots_taken"], pool["queued"], pool["scheduled"], pool["deferred"]) == (4, 1, 1, 1)
    assert pools["small"]["slots_taken"] == 1
