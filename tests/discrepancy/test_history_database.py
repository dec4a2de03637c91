from __future__ import annotations

import pickle
import sqlite3
import threading

import pytest

from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.databases.sqlite import SqliteDialect
from airflow_agari_provider.discrepancy.history_database import HistoryDatabase, HistoryUnavailable


@pytest.fixture
def opened():
    """The connections that a test has opened."""
    return []


@pytest.fixture
def connect(opened, tmp_path):
    def connect():
        opened.append(sqlite3.connect(tmp_path / "history.db", check_same_thread=False))
        return opened[-1]

    return connect


def closed(connection):
    try:
        return connection.total_changes < 0
    except sqlite3.ProgrammingError:
        return True


def test_each_use_has_a_prepared_connection_of_its_own_that_is_closed(connect, opened):
    database = HistoryDatabase(connect, "?")
    assert database.use(lambda dialect, connection: type(dialect)) is SqliteDialect
    assert database.use(lambda dialect, connection: connection.isolation_level) is None
    assert len(opened) == 2
    assert all(map(closed, opened))


@pytest.mark.parametrize("error", [KeyError("x"), sqlite3.OperationalError("full"), ValueError("ü\n")], ids=repr)
def test_whatever_goes_wrong_is_one_kind_of_error_and_closes_the_connection(connect, opened, error):
    def fail(dialect, connection):
        raise error

    with pytest.raises(HistoryUnavailable) as caught:
        HistoryDatabase(connect, "?").use(fail)
    assert caught.value.problem == f"{type(error).__name__}: {error}"
    assert caught.value.__cause__ is error
    assert all(map(closed, opened))


def test_a_connection_that_is_none_of_a_database_is_told():
    with pytest.raises(HistoryUnavailable, match="UnknownDatabase: Cannot load through a connection of class"):
        HistoryDatabase(lambda: type("Socket", (), {"close": lambda self: None})(), "?").use(lambda *_: None)


def test_a_database_that_hangs_is_given_up_and_not_asked_again_for_a_while(opened):
    answered = threading.Event()

    def hang():
        opened.append(1)
        answered.wait()

    database = HistoryDatabase(hang, "?", Patience(0.01, 60))
    try:
        for says in ("did not answer within 0.01 s", "did not answer a moment ago"):
            with pytest.raises(HistoryUnavailable, match=says):
                database.use(lambda *_: None)
    finally:
        answered.set()
    assert opened == [1]


def test_two_histories_do_not_share_their_patience():
    one, other = HistoryDatabase(sqlite3.connect, "?"), HistoryDatabase(sqlite3.connect, "?")
    assert one.patience is not other.patience


def test_the_error_says_what_that_means_and_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(HistoryUnavailable("OperationalError: no")))
    assert str(error).startswith("The history cannot be used: OperationalError: no. So every finding counts as new")
