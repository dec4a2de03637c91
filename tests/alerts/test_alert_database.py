from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from airflow_agari_provider.alerts.alert_database import AlertDatabase, ClaimsUnavailable
from airflow_agari_provider.alerts.table_rows import AlertTable
from airflow_agari_provider.alerts.threads import Patience

THINGS = AlertTable("agari_things", {"id": "text", "name": "text"})


@pytest.fixture
def file(tmp_path):
    return lambda: sqlite3.connect(tmp_path / "alerts.db")


def tables(file):
    with closing(file()) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def names(rows):
    return rows.rows("SELECT name", "", ())


def test_work_makes_its_table_and_reading_makes_none(file):
    database = AlertDatabase(file)
    assert database.read(THINGS, names, missing="no table") == "no table"
    assert tables(file) == []
    assert database.run(THINGS, lambda rows: rows.insert({"id": "a", "name": "ü\n'"})) == 1
    assert database.read(THINGS, names, missing="no table") == [("ü\n'",)]


def test_a_table_that_another_process_makes_later_is_found(file):
    database = AlertDatabase(file)
    assert database.read(THINGS, names, missing=None) is None
    AlertDatabase(file).run(THINGS, lambda rows: None)
    assert database.read(THINGS, names, missing=None) == []


def test_each_use_has_a_connection_of_its_own_that_is_closed_even_after_an_error(file):
    opened = []

    def connect():
        opened.append(file())
        return opened[-1]

    database = AlertDatabase(connect)
    database.run(THINGS, names)
    with pytest.raises(ClaimsUnavailable, match="OperationalError: no such column: missing"):
        database.run(THINGS, lambda rows: rows.rows("SELECT missing", "", ()))
    assert len(opened) == 2
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.total_changes  # noqa: B018


def test_airflow_is_asked_in_the_thread_of_the_caller_and_the_database_in_another(file):
    threads = []

    def connect():
        threads.append(threading.current_thread())
        return file()

    AlertDatabase(connect, lambda: threads.append(threading.current_thread())).run(THINGS, names)
    assert threads[0] is threading.current_thread()
    assert threads[1] is not threading.current_thread()


@pytest.mark.parametrize("place", ["prepare", "connect"])
@pytest.mark.parametrize("error", [KeyError("conn"), OSError("refused"), ValueError("")], ids=["key", "os", "empty"])
def test_whatever_goes_wrong_is_one_kind_of_error_that_names_it(file, place, error):
    def fail():
        raise error

    database = AlertDatabase(fail if place == "connect" else file, fail if place == "prepare" else lambda: None)
    with pytest.raises(ClaimsUnavailable) as caught:
        database.run(THINGS, names)
    assert str(caught.value) == f"The database of the claims cannot be used: {type(error).__name__}: {error}"


def test_a_database_that_hangs_is_given_up_and_not_asked_again_for_a_while(file):
    answered, asked = threading.Event(), []

    def connect():
        asked.append(1)
        answered.wait()
        return file()

    database = AlertDatabase(connect, patience=Patience(0.01, 60))
    try:
        with pytest.raises(ClaimsUnavailable, match=r"TimeoutError: it did not answer within 0\.01 s"):
            database.read(THINGS, names, missing=None)
        with pytest.raises(ClaimsUnavailable, match="it did not answer a moment ago"):
            database.read(THINGS, names, missing=None)
    finally:
        answered.set()
    assert asked == [1]
