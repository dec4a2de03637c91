"""What the ledger tells about the objects of a folder, in each of our databases."""

from __future__ import annotations

import pickle
from contextlib import closing
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.avro_import.failures import record_failure
from airflow_agari_provider.avro_import.ledger import TableLedger
from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
from airflow_agari_provider.avro_import.load_state import (
    LedgerUnknown,
    LoadState,
    ObjectsNotLoaded,
    load_state,
    objects_to_load,
)
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import execute, transaction
from airflow_agari_provider.s3.objects import FoundObject, StoredObject


def found(*keys, etag="e1"):
    return [FoundObject("agari", key, etag) for key in keys]


@pytest.fixture
def connection(connect):
    with closing(connect()) as connection:
        create_import_tables(dialect_of(connection), connection)
        yield connection


def loaded(connection, *keys, table="scored", etag="e1"):
    dialect = dialect_of(connection)
    with transaction(dialect, connection):
        for key in keys:
            stored = StoredObject("agari", key, etag, None, 9, datetime(2016, 4, 28, tzinfo=UTC))
            TableLedger(dialect, connection, table, "run").claim(stored, "fail")


def failed(connection, key, reason="block 3 is truncated", bucket="agari"):
    record_failure(dialect_of(connection), connection, bucket, key, reason, "run")


def test_every_object_is_loaded_failed_or_missing(connection):
    loaded(connection, "5/a", "5/b")
    failed(connection, "5/a")  # before it was loaded
    failed(connection, "5/c", "first")
    failed(connection, "5/c", "block 3 is truncated")
    state = load_state(connection, "scored", found("5/a", "5/b", "5/c", "5/d"))
    assert (state.loaded, state.complete) == (2, False)
    assert state.figures() == {
        "objects": 4,
        "loaded": 2,
        "failed": 1,
        "missing": 1,
        "failed_urls": ["s3://agari/5/c"],
        "missing_urls": ["s3://agari/5/d"],
    }
    assert str(state) == (
        "2 of 4 object(s) are in table scored; 1 failed: s3://agari/5/c (block 3 is truncated); "
        "1 without a trace: s3://agari/5/d"
    )


def test_names_that_differ_in_upper_and_lower_case_are_different_objects(connection):
    loaded(connection, "5/a")
    failed(connection, "5/B")
    failed(connection, "5/c", bucket="other")
    state = load_state(connection, "scored", found("5/a", "5/A", "5/b", "5/B", "5/c"))
    assert state.failed == ["s3://agari/5/B"]
    assert state.missing == ["s3://agari/5/A", "s3://agari/5/b", "s3://agari/5/c"]


def test_another_table_or_other_content_is_not_this_object(connection):
    loaded(connection, "5/a", table="other")
    loaded(connection, "5/b", etag="e0")
    state = load_state(connection, "scored", found("5/a", "5/b"))
    assert (state.loaded, state.changed) == (0, 1)
    assert str(state).endswith("1 of these were loaded with other content and overwritten since")


def test_a_load_that_is_not_committed_does_not_count(connect, connection):
    with closing(connect()) as other:
        dialect = dialect_of(other)
        with transaction(dialect, other):
            stored = StoredObject("agari", "5/a", "e1", None, 9, datetime(2016, 4, 28, tzinfo=UTC))
            TableLedger(dialect, other, "scored", "run").claim(stored, "fail")
            assert not load_state(connection, "scored", found("5/a")).complete
        assert load_state(connection, "scored", found("5/a")).complete


def test_thousands_of_objects_take_short_texts(connection):
    keys = [f"5/{number:04}" for number in range(2000)]
    loaded(connection, *keys[:1000])
    for key in keys[1000:1015]:
        failed(connection, key, "x" * 4000)
    state = load_state(connection, "scored", found(*keys))
    assert (state.loaded, len(state.failed), len(state.missing)) == (1000, 15, 985)
    figures = state.figures()
    assert (len(figures["failed_urls"]), len(figures["missing_urls"])) == (10, 10)
    assert " and 5 more; 985 without a trace: " in str(state)
    assert len(str(state)) < 7000


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_thousands_of_objects_take_few_queries(connection):
    statements = []
    connection.set_trace_callback(statements.append)
    assert not load_state(connection, "scored", found(*map(str, range(2000)))).complete
    asked = [one for one in statements if "agari_import_ledger" in one or "agari_import_failures" in one]
    assert 6 <= len(asked) <= 15


def test_without_any_import_yet_all_objects_are_missing(connect):
    with closing(connect()) as connection:
        assert load_state(connection, "scored", found("5/a")).missing == ["s3://agari/5/a"]
        assert load_state(connection, "scored", []).complete


@pytest.mark.parametrize(
    ("connect", "qualified"),
    [("psycopg", "public.scored"), ("psycopg2", "public.scored"), ("sqlite", "main.scored")],
    indirect=["connect"],
)
def test_a_table_is_known_by_each_of_its_names(connection, qualified):
    execute(connection, "CREATE TABLE scored (id int)")
    connection.commit()
    loaded(connection, "5/a", table=qualified)
    assert load_state(connection, "scored", found("5/a")).complete
    assert load_state(connection, qualified, found("5/a")).complete


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_a_locked_database_does_not_tell_that_objects_are_missing(connect, connection):
    connection.execute("PRAGMA busy_timeout = 0")
    with closing(connect()) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerUnknown, match=r"not known which objects are loaded, because .* database is locked"):
            load_state(connection, "scored", found("5/a"))
        other.rollback()
    assert load_state(connection, "scored", found("5/a")).missing == ["s3://agari/5/a"]


def test_files_that_hadoop_hides_or_has_not_committed_are_not_waited_for(s3, bucket):
    for key in ("5/a.avro", "5/_SUCCESS", "5/_temporary/0/b.avro", "_temporary/5/c.avro", "50/d.avro"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert [one.key for one in objects_to_load(s3, "s3://agari/5")] == ["5/a.avro"]
    assert objects_to_load(s3, ["s3://agari/_temporary/5/"]) == []


def test_only_objects_of_the_pattern_are_waited_for(s3, bucket):
    for key in ("5/a.avro", "5/manifest.json"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    assert [one.key for one in objects_to_load(s3, "s3://agari/5/", "*.avro")] == ["5/a.avro"]
    assert len(objects_to_load(s3, "s3://agari/5/")) == 2


def test_the_error_names_objects_queue_and_what_to_do():
    state = LoadState("scored", 3, ["s3://agari/5/a"], ["s3://agari/5/b"], 0, {"s3://agari/5/a": "truncated"})
    error = ObjectsNotLoaded(state, ["https://sqs/importer"], 120)
    assert str(error) == (
        "1 of 3 object(s) are in table scored; 1 failed: s3://agari/5/a (truncated); 1 without a trace: "
        "s3://agari/5/b. The rest will not come: https://sqs/importer was empty for 120 s. The message of a failed "
        "object is in the dead-letter queue; that of one without a trace is there too, or was lost, or was deleted "
        "without an import. "
        "Correct the cause, redrive the dead-letter queue or import the objects with s3_url, and clear this task. "
        "on_missing='warn' lets such a run pass."
    )
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
