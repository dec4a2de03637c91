from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_agari_provider.avro.objects import StoredObject
from airflow_agari_provider.loaders import ledger
from airflow_agari_provider.loaders.base import query, transaction
from airflow_agari_provider.loaders.dialects import dialect_of

OLD = StoredObject("b", "k", "e1", "v1", 10, datetime(2016, 4, 28, 5, tzinfo=UTC))
NEW = StoredObject("b", "k", "e2", "v2", 20, datetime(2016, 4, 28, 6, tzinfo=UTC))


@pytest.fixture
def connection(connect: Any) -> Any:
    with closing(connect()) as connection:
        ledger.create_tables(dialect_of(connection), connection)
        yield connection


def claim(connection: Any, stored: StoredObject, on_changed_object: Any = "fail", **options: Any) -> bool:
    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        if ledger.claim(dialect, connection, "t", stored, "run", on_changed_object, **options):
            ledger.settle(dialect, connection, "t", stored, 3, {"1": 2, "2": 1})
            return True
    return False


def test_an_object_is_claimed_once(connection):
    assert claim(connection, OLD) is True
    assert claim(connection, OLD) is False
    sql = (
        "SELECT table_name, bucket, object_key, etag, version_id, size_bytes, loaded_rows, run FROM agari_import_ledger"
    )
    assert query(connection, sql) == [("t", "b", "k", "e1", "v1", 10, 3, "run")]
    assert "2" in str(query(connection, "SELECT counts FROM agari_import_ledger"))


def test_the_same_object_may_go_into_two_tables(connection):
    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        assert ledger.claim(dialect, connection, "t", OLD, "run", "fail")
        assert ledger.claim(dialect, connection, "u", OLD, "run", "fail")


def test_a_claim_that_is_rolled_back_is_none(connection):
    dialect = dialect_of(connection)
    with pytest.raises(ZeroDivisionError), transaction(dialect, connection):
        assert 1 // (not ledger.claim(dialect, connection, "t", OLD, "run", "fail"))
    assert not ledger.is_loaded(dialect, connection, "t", "b", "k", "e1")
    assert claim(connection, OLD) is True
    assert ledger.is_loaded(dialect, connection, "t", "b", "k", "e1")
    assert not ledger.is_loaded(dialect, connection, "t", "b", "k", "e2")


def test_changed_content_fails_unless_told_otherwise(connection):
    claim(connection, OLD)
    with pytest.raises(ledger.ObjectChanged, match="s3://b/k was loaded into t at 20"):
        claim(connection, NEW, "fail")
    assert claim(connection, NEW, "skip") is False
    assert query(connection, "SELECT etag FROM agari_import_ledger") == [("e1",)]
    assert claim(connection, NEW, "replace") is True
    assert query(connection, "SELECT etag FROM agari_import_ledger") == [("e2",)]


def test_an_older_version_that_comes_late_replaces_nothing(connection):
    claim(connection, NEW)
    assert claim(connection, OLD, "replace") is False


def test_an_object_whose_rows_were_deleted_is_claimed_again(connection):
    claim(connection, OLD)
    assert claim(connection, OLD, again=True) is True
    assert len(query(connection, "SELECT id FROM agari_import_ledger")) == 1


def test_a_second_importer_of_the_same_object_waits_for_the_first(connect, connection):
    """... and finds it loaded, whichever snapshot its transaction began with."""
    answers: list[bool] = []

    def second() -> None:
        with closing(connect()) as other, transaction(dialect, other):
            query(other, "SELECT COUNT(*) FROM agari_import_ledger")  # where MySQL takes its snapshot
            answers.append(ledger.claim(dialect, other, "t", OLD, "run", "fail"))

    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        assert ledger.claim(dialect, connection, "t", OLD, "run", "fail")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert answers == []
    thread.join(10)
    assert answers == [False]


def test_the_latest_reason_of_a_failure_is_given(connection):
    dialect = dialect_of(connection)
    assert ledger.failure_reason(connection, "b", "k") is None
    for key, reason in (("k", "first"), ("K", "of another object"), ("k", "sec'ond\n" + "x" * 9999)):
        ledger.record_failure(dialect, connection, "b", key, reason, "run")
    assert (ledger.failure_reason(connection, "b", "k") or "")[:9] == "sec'ond\nx"
    assert ledger.failure_reason(connection, "b", "K") == "of another object"
    assert ledger.failure_reason(connection, "c", "k") is None
    assert ledger.failure_reason(connection, "", "k") is None


def test_where_nothing_was_ever_imported_there_is_no_reason(connect):
    with closing(connect()) as connection:
        assert ledger.failure_reason(connection, "b", "k") is None


def test_the_reason_is_read_from_any_plain_connection(sqlite_path):
    with closing(sqlite3.connect(sqlite_path)) as connection:
        ledger.create_tables(dialect_of(connection), connection)
    with closing(sqlite3.connect(sqlite_path)) as connection:
        ledger.record_failure(dialect_of(connection), connection, "", "message-1", "no JSON", "run")
        connection.commit()
    with closing(sqlite3.connect(sqlite_path)) as connection:
        assert ledger.failure_reason(connection, "", "message-1") == "no JSON"


def test_two_importers_create_the_tables_at_once(connect):
    start = threading.Barrier(4, timeout=30)

    def create() -> None:
        with closing(connect()) as connection:
            start.wait()
            ledger.create_tables(dialect_of(connection), connection)

    with ThreadPoolExecutor(4) as pool:
        for created in [pool.submit(create) for _ in range(4)]:
            created.result()
