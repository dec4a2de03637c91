from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.discrepancy.baseline import Baseline
from airflow_agari_provider.discrepancy.distribution import (
    REST,
    Distribution,
    PastShares,
    divergence,
    kept_buckets,
    median_shares,
    what_moved,
)
from tests.benchmarks.discrepancy_volumes import LEARNING, shares_judged

MONDAY = datetime(2016, 2, 1, tzinfo=UTC)
USUAL = {"low": 600, "middle": 300, "high": 100}


@pytest.mark.parametrize(
    ("one", "other", "bits"),
    [
        ({"a": 1.0}, {"a": 1.0}, 0),
        ({"a": 1.0}, {"b": 1.0}, 1),
        ({"a": 0.5, "b": 0.5}, {"a": 1.0}, 0.31128),
        ({}, {}, 0),
    ],
    ids=["equal", "nothing in common", "half", "nothing"],
)
def test_the_divergence_is_that_of_jensen_and_shannon(one, other, bits):
    assert divergence(one, other) == pytest.approx(bits, abs=1e-5)


def test_one_odd_run_does_not_change_the_usual_shares():
    assert median_shares([{"a": 0.5, "b": 0.5}] * 4 + [{"c": 1.0}]) == {"a": 0.5, "b": 0.5, "c": 0.0}


def distances(counts, runs=12, same="any"):
    past = PastShares(Baseline(same=same))
    for day in range(runs):
        past.add(MONDAY + timedelta(days=day), {**USUAL, "low": 600 + day % 3, "middle": 300 - day % 3})
        past.add(MONDAY + timedelta(days=day), {})
    return past.distances(MONDAY + timedelta(days=runs), counts)


def test_shares_that_moved_are_beyond_what_is_usual():
    found = distances({"low": 300, "middle": 300, "high": 400})
    assert round(found.moved, 1) == 30.1
    assert found.divergence > found.allowed
    assert what_moved({"low": 300, "middle": 300, "high": 400}, found.usual) == (
        "low: 60.1 % -> 30.0 %, high: 10.0 % -> 40.0 %, middle: 29.9 % -> 30.0 %"
    )


@pytest.mark.parametrize(
    "counts", [USUAL, {"low": 6, "middle": 3, "high": 2}, {"low": 1}], ids=["as usual", "few", "one"]
)
def test_shares_as_usual_and_those_of_a_few_messages_are_usual(counts):
    found = distances(counts)
    assert found.divergence <= found.allowed


@pytest.mark.parametrize(("runs", "counts"), [(9, USUAL), (12, {})], ids=["too few runs", "no messages"])
def test_what_cannot_be_judged_is_not(runs, counts):
    assert distances(counts, runs) is None


def test_noise_is_usual_and_a_quarter_that_moved_is_found():
    """A small part of ``make bench-discrepancy``."""
    rates = shares_judged(LEARNING + 1, seed=2)
    assert (rates.runs, rates.found_percent) == (168, 100.0)
    assert rates.false == 0


def test_only_the_largest_values_are_kept():
    kept = kept_buckets({str(number): number for number in range(1, 101)})
    assert (len(kept), kept[REST], sum(kept.values())) == (51, 1275, 5050)
    assert kept_buckets(USUAL) == USUAL


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"sql": "SELECT 1"}, "Stage 'trust' needs either sql and conn_id"),
        ({"floor": 100}, "floor of Distribution 'trust' is percent"),
        ({"level": "page"}, "level is one of alarm, warn"),
        ({"runs": 1}, "runs is a whole number"),
        ({"timeout": 0}, "Stage 'trust' has a timeout of 0"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        Distribution("trust", **arguments)


def test_without_a_source_it_is_that_of_the_skips():
    assert Distribution("skips")["of_skips"]
    assert not Distribution("trust", counts={"a": 1})["of_skips"]
