from __future__ import annotations

import pytest

from airflow_agari_provider.charts.figures import figures_of, percentile, tally_of, trend_of
from airflow_agari_provider.charts.tries import Try


def one(run_id, number, outcome, seconds, *, again=False, task="load"):
    return Try(run_id, task, number, outcome, 0.0, seconds, seconds, 1.0, 2.0, 0.0, 1, -1, True, again)


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [([], 0.5, None), ([7], 0.95, 7), ([1, 2, 3, 4], 0.5, 2.5), ([4, 1, 3, 2], 0.95, 3.85), ([1, 5], 1, 5)],
)
def test_a_percentile_lies_on_the_line_between_two_values(values, share, expected):
    assert percentile(values, share) == (None if expected is None else pytest.approx(expected))


def test_the_figures_of_several_tasks_add_up_per_run():
    load = tally_of(
        [
            one("r1", 1, "failed_first", 100, again=True),
            one("r1", 2, "success", 50),
            one("r2", 1, "success", 60),
            one("r3", 1, "skipped", 0),
        ]
    )
    score = tally_of([one("r1", 1, "success", 10, task="score"), one("r2", 1, "failed_first", 40, task="score")])
    found = figures_of([load, score], {"r1", "r2", "r3"})
    assert (found.total, found.lost, found.idle, found.queued) == (260, 140, 5, 10)
    assert found.retry_rate == 0.25  # one of four tasks that started in a run
    assert (found.usual, found.p95) == (130, pytest.approx(157))


def tried(number, outcome, instances, **values):
    return one("r", number, outcome, 1, **values)._replace(instances=instances)


def test_of_a_mapped_task_each_index_counts_in_the_retry_rate():
    indexes = [
        tried(1, "failed_first", 2, again=True),
        tried(1, "success", 98),
        tried(2, "success", 2),
    ]
    found = tally_of(indexes, {"r": 2})
    assert (found.started, found.retried, figures_of([found], {"r"}).retry_rate) == ({"r": 100}, {"r": 2}, 0.02)
    assert found.tries == 102
    assert tally_of(indexes, {}).retried == {}  # two failed and were cleared, say


def test_an_unknown_wait_is_not_counted_as_zero():
    unknown, known = (one("r", 1, "success", 9)._replace(deferred=seconds) for seconds in (None, 5.0))
    assert figures_of([tally_of([unknown])], {"r"}).deferred is None
    assert figures_of([tally_of([unknown]), tally_of([known])], {"r"}).deferred == 5
    assert figures_of([tally_of([unknown]), tally_of([one("r", 1, "success", 9)])], {"r"}).deferred is None
    assert figures_of([tally_of([one("r", 1, "success", 9)])], {"r"}).deferred == 0


def test_a_run_that_goes_on_does_not_tell_what_is_usual():
    tally = tally_of([one("r1", 1, "success", 100), one("r2", 1, "running", 3), one("r3", 1, "success", 7)])
    assert figures_of([tally], {"r1", "r2"}).usual == 100
    assert figures_of([tally], {"r1", "r2"}).total == 110


@pytest.mark.parametrize(
    ("tries", "retried"),
    [
        ([one("r", 1, "failed_first", 1, again=True)], False),
        ([one("r", 1, "failed_first", 1, again=True), one("r", 2, "success", 1)], True),
        ([one("r", 1, "failed_first", 1), one("r", 2, "success", 1)], False),
        ([one("r", 1, "superseded", 1), one("r", 2, "success", 1)], False),
    ],
    ids=["waits for its retry", "retried", "failed for good, then cleared", "succeeded, then cleared"],
)
def test_only_what_airflow_tried_again_by_itself_is_retried(tries, retried):
    assert bool(tally_of(tries).retried) is retried


def test_a_trend_compares_the_newer_half_with_the_older():
    tally = tally_of([one(f"r{number}", 1, "success", 100 if number < 6 else 120) for number in range(12)])
    runs = [f"r{number}" for number in range(12)]
    assert trend_of(tally, runs) == pytest.approx(20)
    assert trend_of(tally, runs[1:]) is None
