from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.discrepancy.comparisons import Tolerance
from airflow_agari_provider.discrepancy.expected_volume import Expected, Volumes
from tests.benchmarks.discrepancy_volumes import LEARNING, judged

MONDAY = datetime(2016, 2, 1, tzinfo=UTC)


ANY = Expected("DB", same="any", runs=20)


def learnt_from(counts, expected=ANY, among=1):
    volumes = Volumes(expected, among)
    for day, count in enumerate(counts):
        volumes.add(MONDAY + timedelta(days=day), count)
    return volumes.band(MONDAY + timedelta(days=len(counts)))


def test_usual_is_the_median_of_the_runs_and_what_lies_around_it():
    band = learnt_from([1000, 1010, 990, 1005, 995] * 4)
    assert (band.usual, band.runs) == (1000, 20)
    assert (band.low, band.high) == (700, 1300)  # so steady a volume varies by less than the floor of 30 %
    assert [band.holds(count) for count in (699, 700, 1300, 1301)] == [False, True, True, False]


def test_a_volume_that_varies_widely_may_do_so():
    band = learnt_from([600, 1700, 1000, 900, 1200, 700, 1500, 1000, 800, 1300] * 2)
    assert band.low < 500
    assert band.high > 2000


def test_nothing_is_unusual_however_much_a_volume_varies():
    band = learnt_from([1, 10_000, 30, 5, 2_000, 300, 40, 9, 700, 60] * 2)
    assert [band.holds(count) for count in (0, 1)] == [False, True]


def test_nothing_is_usual_where_few_messages_are():
    assert learnt_from([0, 3, 1, 0, 2, 0, 1, 0, 0, 4] * 2).holds(0)


@pytest.mark.parametrize(
    ("runs", "same", "learns"),
    [(3, "any", True), (12, "any", False), (21, "hour_of_week", True), (28, "hour_of_week", False)],
)
def test_a_volume_is_learnt_for_a_time(runs, same, learns):
    band = learnt_from([1000] * runs, Expected("DB", same=same))
    assert (band is None) == learns


def test_one_odd_run_changes_little():
    band = learnt_from([1000, 1010, 990, 1005, 0, 995, 1000, 90_000, 1003, 997])
    assert 690 < band.low < 710 < 1290 < band.high < 1310


def test_several_keys_may_each_be_further_off():
    counts = [600, 1700, 1000, 900, 1200, 700, 1500, 1000, 800, 1300] * 2
    alone, among = learnt_from(counts), learnt_from(counts, among=20)
    assert among.low < alone.low < alone.high < among.high


@pytest.mark.parametrize(
    "settings", [{"noise": 0.10}, {"noise": 0.10, "outliers": 0.01}, {"noise": 0.10, "growth": 0.02}], ids=str
)
def test_half_is_found_at_once_and_noise_is_not(settings):
    """A small part of ``make bench-discrepancy``: the first weeks, which know least."""
    rates = judged(LEARNING + 6, seed=3, **settings)
    assert rates.runs > 900
    assert rates.false <= 1
    assert rates.found_percent >= 98.5


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"level": "page"}, "level is one of alarm, warn"),
        ({"keys": -1}, "keys is a number of keys from 0 to 1,000, not -1"),
        ({"keys": True}, "keys is a number of keys"),
        ({"deviations": 0}, "deviations is a number above 0"),
        ({"deviations": "3"}, "deviations is a number above 0"),
        ({"floor": 20}, "floor is a Tolerance, not 20"),
        ({"runs": 0}, "runs is a whole number"),
    ],
    ids=str,
)
def test_settings_that_cannot_work_are_refused(settings, says):
    with pytest.raises(ValueError, match=says):
        Expected("DB", **settings)


def test_huge_and_no_counts_have_a_band_too():
    assert learnt_from([2**63 - 1] * 20).holds(2**63 - 1)
    assert learnt_from([0] * 20, Expected("DB", same="any", floor=Tolerance())).holds(0)
