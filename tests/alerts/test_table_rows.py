"""Tables of the alerts are made, brought up to date, read and changed on each database."""

from __future__ import annotations

import pytest

from airflow_agari_provider.alerts.table_rows import AlertTable, TableRows
from airflow_agari_provider.databases.dialects import dialect_of

OLD = AlertTable("agari_things", {"id": "text", "name": "text"})
NEW = AlertTable("agari_things", {"id": "text", "name": "text", "at": "double"}, (("name", "at"), ("at",)))


@pytest.fixture
def rows_of(connect):
    connection = connect()
    yield lambda table, **more: TableRows(table, dialect_of(connection), connection, **more)
    connection.close()


def test_a_table_is_made_once_and_a_key_is_inserted_once(rows_of):
    rows = rows_of(NEW)
    assert not rows.exists()
    rows.create()
    rows.create()
    assert rows.exists()
    assert [rows.insert({"id": "a", "name": "x", "at": number}) for number in (1.0, 2.0)] == [1, 0]
    assert rows.rows("SELECT id, name, at", "WHERE id = ?", ("a",)) == [("a", "x", 1.0)]


def test_a_column_that_an_older_table_lacks_is_added_and_null(rows_of):
    rows_of(OLD).create()
    rows_of(OLD).insert({"id": "a", "name": "x"})
    rows = rows_of(NEW)
    rows.create()
    assert rows.rows("SELECT id, at", "", ()) == [("a", None)]


def test_missing_indexes_are_made_and_present_ones_are_no_error(rows_of):
    rows_of(OLD).create()
    rows = rows_of(NEW)
    rows.create()
    for _ in range(2):
        rows.add_indexes()
    rows.insert({"id": "a", "name": "x" * 5000, "at": 1.0})  # longer than what MySQL indexes of a text
    assert rows.rows("SELECT id", "WHERE at = ?", (1.0,)) == [("a",)]


def test_a_change_that_nobody_waits_for_is_not_committed(rows_of):
    rows = rows_of(NEW)
    rows.create()
    with pytest.raises(TimeoutError, match="nobody waits"):
        rows_of(NEW, is_wanted=lambda: False).insert({"id": "a", "name": "x", "at": 1.0})
    assert rows.rows("SELECT id", "", ()) == []


def test_a_change_says_how_many_rows_it_changed(rows_of):
    rows = rows_of(NEW)
    rows.create()
    for key in "abc":
        rows.insert({"id": key, "name": "x", "at": 1.0})
    assert rows.change("UPDATE agari_things SET at = ? WHERE id <> ?", (2.0, "a")) == 2
