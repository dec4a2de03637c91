"""What earlier runs counted, from the tables of the history; ``test_unusual.py`` has what is learnt from it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.databases.sqlite import SqliteDialect
from airflow_agari_provider.discrepancy.history_tables import HistoryRows
from airflow_agari_provider.discrepancy.past_runs import past_runs
from airflow_agari_provider.discrepancy.stored_run import Difference, StoredRun

NOW = datetime(2016, 2, 3, 12, tzinfo=UTC)
LARGE = Difference("5", "", 0, 9, "none", '{"Agg": 9, "DB": 7}')


@pytest.fixture
def rows():
    with closing(sqlite3.connect(":memory:")) as connection:
        SqliteDialect().prepare(connection)
        rows = HistoryRows(SqliteDialect(), connection)
        rows.create(with_shares=True)
        yield rows


def run(hour, *differences, **changed):
    at = f"2016-02-03 {hour:02}:00:00"
    fine = StoredRun(at, f"run {hour}", at, "ok", float(hour), len(differences), totals={"Agg": hour})
    return replace(fine, differences=differences, **changed)


def read(rows, *runs, moment=NOW, series="", names=(), keys=True, shares=True):
    for one in runs:
        rows.write("c", "d", "t", one, 99)
    return past_runs(rows, "c", moment, series, names, keys, shares)


def hours(found):
    return [one.moment.hour for one in found]


def test_without_a_run_nothing_is_known_and_the_tables_are_made():
    with closing(sqlite3.connect(":memory:")) as connection:
        assert read(HistoryRows(SqliteDialect(), connection)) == []


def test_runs_of_windows_before_this_one_come_the_oldest_first(rows):
    assert hours(read(rows, *(run(hour) for hour in (11, 3, 12, 13, 7)))) == [3, 7, 11]


def test_a_window_that_was_checked_again_later_counts_as_its_last_check_says(rows):
    again = run(20, run_at="2016-02-03 20:00:00", window="2016-02-03 05:00:00", checked_at=99.0)
    found = read(rows, run(5), again)
    assert [(one.moment.hour, one.totals) for one in found] == [(5, {"Agg": 20})]


@pytest.mark.parametrize("window", ["2016-02-03T06:00:00+01:00", "2016-02-03 05:00:00", "05:00", "żółw\n", ""])
def test_a_window_is_about_its_own_time_or_that_of_its_run(rows, window):
    assert [one.moment for one in read(rows, run(5, window=window))] == [datetime(2016, 2, 3, 5, tzinfo=UTC)]


def test_only_runs_of_the_same_series_teach(rows):
    runs = [run(1), run(2, series="holiday"), run(3, series="Holiday")]
    assert hours(read(rows, *runs, series="holiday")) == [2]
    assert hours(read(rows, *runs)) == [1]


def test_keys_are_known_with_the_counts_of_each_stage(rows):
    (found,) = read(rows, run(1, LARGE, Difference("6", "Agg - DB", 2, 9, "alarm")))
    assert (found.keys, found.has_all_keys) == ({"5": {"Agg": 9, "DB": 7}}, False)
    (found,) = read(rows, run(1, LARGE))
    assert found.has_all_keys
    assert read(rows, run(1, LARGE), keys=False)[0].keys == {}


@pytest.mark.parametrize("counts", ["", '{"Agg": 9, "D… (cut)', "null", "[1]", "12", '"x"', '{"Agg": "9"}'])
def test_counts_that_were_cut_or_are_none_are_not_known(rows, counts):
    (found,) = read(rows, run(1, LARGE._replace(counts=counts)))
    assert found.keys == {"5": {}}


def test_what_the_named_comparisons_found_is_unusual_and_what_recovered_is_not(rows):
    (found,) = read(
        rows,
        run(
            1,
            Difference("5", "Expected Agg", 2, 9, "alarm"),
            Difference("", "Expected Agg", 2, 9, "warn"),
            Difference("6", "Expected Agg", 2, 9, "recovered"),
            Difference("7", "Agg - DB", 2, 9, "alarm"),
        ),
        names=["Expected Agg", "Distribution age"],
    )
    assert found.unusual == {("5", "Expected Agg"), ("", "Expected Agg")}


def test_shares_are_known_by_distribution_and_value_in_their_order(rows):
    shares = {"age": {"old": 4, "": 1, "young": 3}, "size": {"ü": 2}}
    (found,) = read(rows, run(1, shares=shares))
    assert found.shares == shares
    assert list(found.shares["age"]) == ["old", "", "young"]
    assert read(rows, run(1, shares=shares), shares=False)[0].shares == {}
