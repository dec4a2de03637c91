from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from airflow_agari_provider.avro_import.errors import ObjectsFailed
from airflow_agari_provider.avro_import.failures import failure_reason, record_failure
from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.s3.objects import FoundObject
from tests.avro.scored_messages import avro_file, record_of


def test_the_latest_reason_of_a_failure_is_given(connect):
    with closing(connect()) as connection:
        dialect = dialect_of(connection)
        create_import_tables(dialect, connection)
        assert failure_reason(connection, "b", "k") is None
        for key, reason in (("k", "first"), ("K", "of another object"), ("k", "sec'ond\n" + "x" * 9999)):
            record_failure(dialect, connection, "b", key, reason, "run")
        assert (failure_reason(connection, "b", "k") or "")[:9] == "sec'ond\nx"
        assert failure_reason(connection, "b", "K") == "of another object"
        assert failure_reason(connection, "c", "k") is None
        assert failure_reason(connection, "", "k") is None


def test_without_any_import_no_failure_reason_is_found(connect):
    with closing(connect()) as connection:
        assert failure_reason(connection, "b", "k") is None


def test_the_reason_is_read_from_any_plain_connection(sqlite_path):
    with closing(sqlite3.connect(sqlite_path)) as connection:
        create_import_tables(dialect_of(connection), connection)
    with closing(sqlite3.connect(sqlite_path)) as connection:
        record_failure(dialect_of(connection), connection, "", "message-1", "no JSON", "run")
        connection.commit()
    with closing(sqlite3.connect(sqlite_path)) as connection:
        assert failure_reason(connection, "", "message-1") == "no JSON"


@pytest.mark.parametrize("connect", ["sqlite", "psycopg", "psycopg2"], indirect=True)
def test_a_reason_that_a_database_refuses_as_it_is_is_recorded_escaped(importer, put, rows):
    """PostgreSQL refuses a zero byte, and every database refuses half of a character."""
    put("a.avro", avro_file([], record_of(a="int")).replace(b'"name": "a"', b'"name": 5  '))
    put("b.avro", avro_file([], record_of(a="string")).replace(b'"string"', b'"\\u0000"'))
    put("c.avro", avro_file([], record_of(a="string", b="int")).replace(b'"string"', b'"\\ud800"'))
    with pytest.raises(ObjectsFailed) as caught:
        importer().import_objects([FoundObject("agari", f"{name}.avro", "") for name in "abc"])
    assert len(caught.value.reasons) == 3
    assert len(rows("SELECT reason FROM agari_import_failures")) == 3
