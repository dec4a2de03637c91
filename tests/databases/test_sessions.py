"""Connections whose settings would change what is stored: the import's own settings win."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.databases.statements import execute, query
from tests.avro.scored_messages import avro_file

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
def test_texts_and_times_are_stored_whatever_the_connection_is_set_to(odd_connect, s3, bucket, decoder):
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
