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


def claim(connection: Any, stored: StoredObject, on_changed_object: Any = "fail", **options: Any) -> str:
    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        answer = ledger.claim(dialect, connection, "t", stored, "run", on_changed_object, **options)
        if answer == "load":
            ledger.settle(dialect, connection, "t", stored, 3, {"1": 2, "2": 1}, 4, 5)
        return answer


def test_an_object_is_claimed_once(connection):
    assert claim(connection, OLD) == "load"
    assert claim(connection, OLD) == "there"
    sql = (
        "SELECT table_name, bucket, object_key, etag, version_id, size_bytes, loaded_rows, "
        "quarantined_rows, quarantined_blocks, run FROM agari_import_ledger"
    )
    assert query(connection, sql) == [("t", "b", "k", "e1", "v1", 10, 3, 4, 5, "run")]
    assert "2" in str(query(connection, "SELECT counts FROM agari_import_ledger"))


def test_the_same_object_may_go_into_two_tables(connection):
    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        assert ledger.claim(dialect, connection, "t", OLD, "run", "fail") == "load"
        assert ledger.claim(dialect, connection, "u", OLD, "run", "fail") == "load"


def test_a_claim_that_is_rolled_back_is_none(connection):
    dialect = dialect_of(connection)
    with pytest.raises(ZeroDivisionError), transaction(dialect, connection):
        assert 1 // (ledger.claim(dialect, connection, "t", OLD, "run", "fail") != "load")
    assert not ledger.is_loaded(dialect, connection, "t", "b", "k", "e1")
    assert claim(connection, OLD) == "load"
    assert ledger.is_loaded(dialect, connection, "t", "b", "k", "e1")
    assert not ledger.is_loaded(dialect, connection, "t", "b", "k", "e2")


def test_changed_content_fails_unless_told_otherwise(connection):
    claim(connection, OLD)
    with pytest.raises(ledger.ObjectChanged, match="s3://b/k was loaded into t at 20"):
        claim(connection, NEW, "fail")
    assert claim(connection, NEW, "skip") == "changed"
    assert query(connection, "SELECT etag FROM agari_import_ledger") == [("e1",)]
    assert claim(connection, NEW, "replace") == "load"
    assert query(connection, "SELECT etag FROM agari_import_ledger") == [("e2",)]


def test_an_older_version_that_comes_late_replaces_nothing(connection):
    claim(connection, NEW)
    assert claim(connection, OLD, "replace") == "there"


def test_an_object_whose_rows_were_deleted_is_claimed_again(connection):
    claim(connection, OLD)
    assert claim(connection, OLD, again=True) == "load"
    assert len(query(connection, "SELECT id FROM agari_import_ledger")) == 1


def test_a_second_importer_of_the_same_object_waits_for_the_first(connect, connection):
    """... and finds it loaded, whichever snapshot its transaction began with."""
    answers: list[str] = []

    def second() -> None:
        with closing(connect()) as other, transaction(dialect, other):
            query(other, "SELECT COUNT(*) FROM agari_import_ledger")  # where MySQL takes its snapshot
            answers.append(ledger.claim(dialect, other, "t", OLD, "run", "fail"))

    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        assert ledger.claim(dialect, connection, "t", OLD, "run", "fail") == "load"
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert answers == []
    thread.join(10)
    assert answers == ["there"]


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


def test_the_documented_questions_are_answered(connection, request):
    """... by every database, of an object that was loaded after it failed, and of one that only failed."""
    dialect = dialect_of(connection)
    stored = StoredObject("scored", "hour=2016-04-28T05/part-0.avro", "e1", None, 9, datetime(2016, 4, 28, tzinfo=UTC))
    run = "ep_telemetry_v2/scheduled__2016-04-28T05:00:00+00:00/import_scored_messages/-1"
    for key in (stored.key, "other.avro"):
        ledger.record_failure(dialect, connection, "scored", key, "truncated", run)
    with transaction(dialect, connection):
        assert ledger.claim(dialect, connection, "scored_messages", stored, run, "fail") == "load"
        ledger.settle(dialect, connection, "scored_messages", stored, 5, {}, 3, 1)
    page = (request.config.rootpath / "docs" / "avro_s3_import.md").read_text()
    questions = page.partition("```sql\n")[2].partition("```")[0].split(";\n")
    answers = [query(connection, question) for question in questions if question.strip()]
    assert [len(answer) for answer in answers] == [1, 1, 1, 1]
    assert (answers[0][0][0], answers[0][0][2]) == (run, 5)
    assert answers[1] == [(stored.key, 9, 5, 3)]
    assert answers[2][0][:4] == ("scored", stored.key, 3, 1)
    assert answers[3][0][0] == "other.avro"
