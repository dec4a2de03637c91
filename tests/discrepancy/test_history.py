from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from airflow_agari_provider.discrepancy.comparisons import Tolerance, default_comparisons
from airflow_agari_provider.discrepancy.findings import find_discrepancies
from airflow_agari_provider.discrepancy.history import exchange_findings
from airflow_agari_provider.discrepancy.table import DiscrepancyTable


@pytest.fixture
def database(connect):
    """(DB-API connection, placeholder) of an empty database, with each of our databases and drivers."""
    with closing(connect()) as connection:
        yield connection, "?" if isinstance(connection, sqlite3.Connection) else "%s"


def findings(agg, db):
    table = DiscrepancyTable({"Agg": agg, "DB": db}, default_comparisons(["Agg", "DB"]))
    return find_discrepancies(table, Tolerance(), {})


def test_findings_are_compared_with_the_run_before(database):
    first = findings({"1": 9, "2": 9, "3": 9, "4": 9, "5": 9}, {"1": 7, "2": 7, "3": 7, "4": 7, "5": 9})
    assert exchange_findings(*database, "d", "t", "2016-02-03 00:00:00", first) is None
    now = findings({"1": 9, "2": 9, "3": 9, "4": 7, "5": 9}, {"1": 7, "2": 0, "3": 8, "4": 9, "5": 8})
    earlier = exchange_findings(*database, "d", "t", "2016-02-03 01:00:00", now)
    assert earlier.run_at == "2016-02-03 00:00:00"
    assert {finding.key: earlier.status(finding) for finding in now} == {
        "1": "same as before",
        "2": "growing from 2",
        "3": "shrinking from 2",
        "4": "new",
        "5": "new",
    }
    assert earlier.recovered(now) == []
    assert earlier.recovered([]) == ["1", "2", "3", "4"]


def test_a_run_without_findings_still_counts_as_the_previous_run(database):
    lost = findings({"1": 9}, {})
    exchange_findings(*database, "d", "t", "2016-02-03 00:00:00", lost)
    exchange_findings(*database, "d", "t", "2016-02-03 01:00:00", [])
    earlier = exchange_findings(*database, "d", "t", "2016-02-03 02:00:00", lost)
    assert (earlier.run_at, earlier.status(lost[0])) == ("2016-02-03 01:00:00", "new")


def test_a_run_that_is_repeated_keeps_its_place_and_is_not_compared_with_itself(database):
    for agg in (9, 8):
        assert exchange_findings(*database, "d", "t", "2016-02-03 00:00:00", findings({"1": agg}, {})) is None
    now = findings({"1": 9}, {})
    earlier = exchange_findings(*database, "d", "t", "2016-02-03 01:00:00", now)
    assert earlier.status(now[0]) == "growing from 8"


def test_other_tasks_and_later_runs_are_not_the_run_before(database):
    lost = findings({"1": 9}, {})
    exchange_findings(*database, "d", "other", "2016-02-03 00:00:00", lost)
    exchange_findings(*database, "other", "t", "2016-02-03 00:00:00", lost)
    exchange_findings(*database, "d", "t", "2016-02-03 02:00:00", lost)
    assert exchange_findings(*database, "d", "t", "2016-02-03 01:00:00", lost) is None


def test_long_and_foreign_keys_are_recognised(database):
    lost = findings({"żółw" * 200: 10**15, "'; DROP TABLE x; --": 1, "🐢%s?": 1}, {})
    exchange_findings(*database, "d", "t", "2016-02-03 00:00:00", lost)
    earlier = exchange_findings(*database, "d", "t", "2016-02-03 01:00:00", lost)
    assert [earlier.status(finding) for finding in lost] == ["same as before"] * 3
    assert earlier.recovered(lost) == []
    assert exchange_findings(*database, "d", "t", "2016-02-03 02:00:00", []).recovered([])[0].startswith("żółwżółw")


def test_of_very_many_findings_the_largest_are_kept(database):
    lost = findings({str(number): 1000 + number for number in range(1500)}, {})
    exchange_findings(*database, "d", "t", "2016-02-03 00:00:00", lost)
    earlier = exchange_findings(*database, "d", "t", "2016-02-03 01:00:00", [])
    assert list(earlier.recovered([]))[::999] == ["1499", "500"]
