from __future__ import annotations

import threading
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_agari_provider.avro_import.changed_object import ObjectChanged
from airflow_agari_provider.avro_import.failures import record_failure
from airflow_agari_provider.avro_import.ledger import TableLedger
from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import query, transaction
from airflow_agari_provider.s3.objects import StoredObject

OLD = StoredObject("b", "k", "e1", "v1", 10, datetime(2016, 4, 28, 5, tzinfo=UTC))
NEW = StoredObject("b", "k", "e2", "v2", 20, datetime(2016, 4, 28, 6, tzinfo=UTC))


@pytest.fixture
def connection(connect: Any) -> Any:
    with closing(connect()) as connection:
        create_import_tables(dialect_of(connection), connection)
        yield connection


def ledger(connection: Any, table: str = "t", run: str = "run") -> TableLedger:
    return TableLedger(dialect_of(connection), connection, table, run)


def claim(connection: Any, stored: StoredObject, on_changed_object: Any = "fail", **options: Any) -> str:
    one = ledger(connection)
    with transaction(one.dialect, connection):
        answer = one.claim(stored, on_changed_object, **options)
        if answer == "load":
            one.settle(stored, 3, {"1": 2, "2": 1}, 4, 5)
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
    with transaction(dialect_of(connection), connection):
        assert ledger(connection, "t").claim(OLD, "fail") == "load"
        assert ledger(connection, "u").claim(OLD, "fail") == "load"


def test_a_claim_that_is_rolled_back_is_none(connection):
    with pytest.raises(ZeroDivisionError), transaction(dialect_of(connection), connection):
        assert 1 // (ledger(connection).claim(OLD, "fail") != "load")
    assert not ledger(connection).is_loaded("b", "k", "e1")
    assert claim(connection, OLD) == "load"
    assert ledger(connection).is_loaded("b", "k", "e1")
    assert not ledger(connection).is_loaded("b", "k", "e2")


def test_changed_content_fails_unless_told_otherwise(connection):
    claim(connection, OLD)
    with pytest.raises(ObjectChanged, match="s3://b/k was loaded into t at 20"):
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
            answers.append(ledger(other).claim(OLD, "fail"))

    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        assert ledger(connection).claim(OLD, "fail") == "load"
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.3)
        assert answers == []
    thread.join(60)
    assert answers == ["there"]


def test_the_documented_questions_are_answered(connection, request):
    """... by every database, of an object that was loaded after it failed, and of one that only failed."""
    dialect = dialect_of(connection)
    stored = StoredObject("scored", "hour=2016-04-28T05/part-0.avro", "e1", None, 9, datetime(2016, 4, 28, tzinfo=UTC))
    run = "ep_telemetry_v2/scheduled__2016-04-28T05:00:00+00:00/import_scored_messages/-1"
    for key in (stored.key, "other.avro"):
        record_failure(dialect, connection, "scored", key, "truncated", run)
    with transaction(dialect, connection):
        scored = ledger(connection, "scored_messages", run)
        assert scored.claim(stored, "fail") == "load"
        scored.settle(stored, 5, {}, 3, 1)
    page = (request.config.rootpath / "docs" / "avro_s3_import.md").read_text()
    questions = page.partition("```sql\n")[2].partition("```")[0].split(";\n")
    answers = [query(connection, question) for question in questions if question.strip()]
    assert [len(answer) for answer in answers] == [1, 1, 1, 1]
    assert (answers[0][0][0], answers[0][0][2]) == (run, 5)
    assert answers[1] == [(stored.key, 9, 5, 3)]
    assert answers[2][0][:4] == ("scored", stored.key, 3, 1)
    assert answers[3][0][0] == "other.avro"
