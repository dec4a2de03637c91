"""What only PostgreSQL does: settings of a session, COPY through a socket, and the faults of its errors."""

from __future__ import annotations

import importlib
import os
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.postgres import _widen
from airflow_agari_provider.databases.statements import execute, query
from tests.avro.scored_messages import avro_file
from tests.databases.loading import ID, loaded

NOON = 1461844800000000  # 2016-04-28 12:00, in microseconds
FIELDS = [
    {"name": "t", "type": "string"},
    {"name": "j", "type": {"type": "array", "items": "string"}},
    {"name": "noon", "type": {"type": "long", "logicalType": "local-timestamp-micros"}},
]


@pytest.fixture(params=["psycopg", "psycopg2"])
def odd_connect(request: pytest.FixtureRequest, cleared_postgres_uri: str) -> Callable[[], Any]:
    """Opens connections of another encoding, zone and isolation than the import wants."""
    driver = importlib.import_module(request.param)
    options = "-c TimeZone=Asia/Tokyo -c default_transaction_isolation=serializable"

    def connect() -> Any:
        return driver.connect(cleared_postgres_uri, client_encoding="latin1", options=options)

    return connect


@pytest.mark.parametrize("decoder", ["arrow", "fastavro"])
def test_texts_and_times_are_stored_with_any_connection_settings(odd_connect, s3, bucket, decoder):
    if decoder == "arrow":
        pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")
    with closing(odd_connect()) as connection:
        execute(connection, "CREATE TABLE scored (t text, j jsonb, noon timestamptz)")
        connection.commit()
    rows = [{"t": "déjà vu €", "j": ["é"], "noon": NOON}]
    s3.put_object(Bucket=bucket, Key="a.avro", Body=avro_file(rows, {"type": "record", "name": "r", "fields": FIELDS}))
    # Without the column that COPY has no binary form for, Arrow does it.
    columns = ["t", "j"] if decoder == "arrow" else None
    with closing(Importer(odd_connect(), s3, ImportJob("scored", "r", columns=columns, decoder=decoder))) as one:
        one.import_object(bucket, "a.avro")
        assert query(one._connection, "SHOW transaction_isolation") == [("read committed",)]
    with closing(odd_connect()) as connection:
        connection.rollback()
        sql = "SELECT encode(convert_to(t, 'UTF8'), 'hex'), encode(convert_to(j->>0, 'UTF8'), 'hex') FROM scored"
        assert query(connection, sql) == [("64c3a96ac3a020767520e282ac", "c3a9")]
        noon = query(connection, "SELECT (noon AT TIME ZONE 'UTC')::text FROM scored")
        assert noon == [(None if columns else "2016-04-28 12:00:00",)]


@pytest.mark.parametrize(("family", "wider"), [(socket.AF_UNIX, True), (socket.AF_INET, False)])
def test_a_unix_socket_takes_more_at_once(family, wider):
    with closing(socket.socket(family)) as connected:
        before = connected.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)
        _widen(connected.fileno())
        assert (connected.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) > before) == wider


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_copy_takes_more_at_once(connection):
    def taken() -> int:
        with closing(socket.socket(fileno=os.dup(connection.fileno()))) as connected:
            assert connected.family == socket.AF_UNIX
            return connected.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF)

    before = taken()
    assert loaded(connection, Target("t", (ID,)), [(1,)]) == 1
    assert taken() > before


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)
def test_an_error_is_the_fault_of_the_rows_of_another_transaction_or_of_the_table(connection):
    def fault(sql: str) -> str:
        dialect = dialect_of(connection)
        with pytest.raises(dialect.driver.Error) as caught:
            execute(connection, sql)
        connection.rollback()
        return dialect.fault(caught.value)

    def raised(state: str) -> str:
        return f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{state}'; END $$"

    assert [fault(sql) for sql in ("SELECT 1 / 0", raised("23505"), raised("44000"), raised("P0001"))] == ["rows"] * 4
    assert [fault(raised(state)) for state in ("40001", "40P01")] == ["conflict"] * 2
    assert [fault(raised(state)) for state in ("57P01", "53100")] == ["passing"] * 2
    assert [fault(sql) for sql in ("SELECT 1 FROM nowhere", "no SQL", raised("42501"))] == ["target"] * 3
