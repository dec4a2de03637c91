from __future__ import annotations

import sqlite3

import pytest

from airflow_agari_provider.databases import mysql_errors
from airflow_agari_provider.databases.mysql_errors import fault_of, number_of

Operational, Integrity, Data = sqlite3.OperationalError, sqlite3.IntegrityError, sqlite3.DataError  # of any driver


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (Operational(1062, "Duplicate entry"), 1062),
        (Operational(-1, "unknown"), -1),
        (Operational(), 0),
        (Operational("1062"), 0),
        (Operational(None), 0),
        (Operational((1062, "nested")), 0),
    ],
    ids=repr,
)
def test_the_number_of_an_error_is_its_first_argument_if_that_is_one(error, number):
    assert number_of(error) == number


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Operational(1062, "Duplicate entry 'a' for key 'PRIMARY'"), "rows"),
        (Operational(1366, "Incorrect string value"), "rows"),
        (Operational(3819, "Check constraint 'c' is violated"), "rows"),
        (Operational(1644, "a trigger's SIGNAL"), "rows"),
        (Integrity(9999, "of a coming server"), "rows"),
        (Data(0, "too long"), "rows"),
        (Operational(1213, "Deadlock found"), "conflict"),
        (Operational(1205, "Lock wait timeout exceeded"), "conflict"),
        (Integrity(1213, "Deadlock found"), "rows"),
        (Operational(2006, "MySQL server has gone away"), "passing"),
        (Operational(2013, "Lost connection"), "passing"),
        (Operational(1040, "Too many connections"), "passing"),
        (sqlite3.InterfaceError(0, ""), "passing"),
        (Operational(1146, "Table 't' doesn't exist"), "target"),
        (Operational(1142, "INSERT command denied"), "target"),
        (Operational(9999, "of a coming server"), "target"),
        (Operational(), "target"),
    ],
    ids=repr,
)
def test_what_an_error_means_for_the_import(error, fault):
    assert fault_of(sqlite3, error) == fault


def test_no_number_means_two_things():
    kinds = (mysql_errors._ROWS, mysql_errors._CONFLICTS, mysql_errors._PASSING)
    assert len(frozenset().union(*kinds)) == sum(map(len, kinds))
