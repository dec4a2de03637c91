"""The band of the page says what the check judged by, or what it would have."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from airflow_agari_provider.discrepancy.expected_volume import Expected, Volumes
from airflow_agari_provider.discrepancy.history_band import volume_bands
from airflow_agari_provider.discrepancy.stored_run import Difference, StoredRun

START = datetime(2016, 2, 1)


def runs(*totals, hours=24, **changed):
    """A run of each total, one every day, or every so many hours."""
    found = []
    for number, total in enumerate(totals):
        at = str(START + timedelta(hours=hours * number))
        facts = {"totals": {} if total is None else {"Collector": total}, "checked_at": float(number)}
        found.append(StoredRun(**{"run_at": at, "run_id": at, "window": at, "verdict": "ok", **facts, **changed}))
    return found


def bands(found, **changed):
    by_run = volume_bands(found, "Collector", {run.run_at for run in found}, **changed)
    return [by_run.get(run.run_at) for run in found]


STEADY = [1000] * 20


def test_without_a_judgement_the_band_is_that_of_expected():
    volumes = Volumes(Expected("Collector", same="hour_of_day"))
    for run in (found := runs(*STEADY, 1000)):
        last = volumes.band(datetime.fromisoformat(f"{run.run_at}+00:00"))
        volumes.add(datetime.fromisoformat(f"{run.run_at}+00:00"), run.totals["Collector"])
    assert bands(found)[-1] == (last.low, last.high) == (700, 1300)


def test_as_long_as_too_little_is_known_there_is_no_band():
    assert bands(runs(*STEADY))[:10] == [None] * 10
    assert bands(runs(*[None] * 20)) == [None] * 20
    assert bands([]) == []


def test_the_band_is_of_the_runs_before_and_never_of_the_run_itself():
    assert bands(runs(*STEADY, 90_000))[-1] == (700, 1300)


def test_each_hour_has_its_own_as_soon_as_it_is_known():
    day = [100] * 8 + [10_000] * 8 + [1000] * 8
    found = bands(runs(*day * 7, hours=1))
    night, noon = found[-24], found[-12]
    assert (night[0] <= 100 <= night[1] < 300, 7000 <= noon[0] <= 10_000 <= noon[1] <= 13_000) == (True, True)


UNUSUAL = (Difference("", "Expected Collector", 500, 1000, "alarm"),)


@pytest.mark.parametrize(
    ("changed", "teaches"),
    [
        ({"differences": UNUSUAL}, False),
        ({"differences": UNUSUAL, "accepted": True}, True),
        ({"differences": (Difference("", "Discrepancy", 500, 1000, "alarm"),)}, True),
        ({"differences": (Difference("5", "Expected Collector", 9, 9, "alarm"),)}, True),
        ({"differences": UNUSUAL, "window": str(START), "checked_at": -1.0}, False),
    ],
    ids=["unusual", "accepted", "another fault", "a key of it", "checked anew later"],
)
def test_what_was_unusual_teaches_nothing_unless_it_was_accepted(changed, teaches):
    before = runs(*STEADY)
    shifted = [StoredRun(**{**vars(run), "totals": {"Collector": 5000}, **changed}) for run in runs(*[0] * 34)[20:]]
    assert (bands([*before, *shifted, *runs(*[0] * 35)[34:]])[-1] != (700, 1300)) == teaches


def test_what_a_run_was_judged_by_is_shown_as_it_was():
    found = runs(*STEADY)
    judged = [StoredRun(**{**vars(run), "usual": {"Collector": (1, 2)}}) for run in found[-2:]]
    assert bands([*found[:-2], *judged])[-3:] == [(700, 1300), (1, 2), (1, 2)]


def test_another_series_and_a_row_without_a_date_say_nothing():
    other = runs(*[5] * 20, series="short windows")
    odd = StoredRun("a row of somebody", "", "", "ok", 0.0, totals={"Collector": 5})
    assert bands([*other, odd, *runs(*STEADY, 1000)])[-1] == (700, 1300)
