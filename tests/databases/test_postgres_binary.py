"""What each decoder makes of a file lies in PostgreSQL the same, through both drivers."""

from __future__ import annotations

import io
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import HealthCheck, given, settings

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import Column, columns_of
from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.postgres_binary import binary_copy
from airflow_agari_provider.databases.statements import execute, query
from tests.avro.random_avro import files
from tests.databases.loading import PLAIN, load_file

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")
pytest.importorskip("pgpq", reason="the extra [arrow] is not installed")


only_postgres = pytest.mark.parametrize("connect", ["psycopg", "psycopg2"], indirect=True)


@only_postgres
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=files())
def test_all_decoders_load_the_same_rows(connection, data):
    decoders = ("arrow", "fastavro", PLAIN)
    execute(connection, "DROP TABLE IF EXISTS by_arrow, by_fastavro, by_plain")
    counts = [load_file(connection, decoder, data, f"by_{decoder}") for decoder in decoders]
    found = [query(connection, f"SELECT t::text FROM by_{decoder} t") for decoder in decoders]
    assert found[0] == found[1] == found[2]
    assert counts == [len(found[0])] * 3


SCHEMA = {
    "type": "record",
    "name": "message",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 4}},
        {"name": "key", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "more", "type": {"type": "map", "values": "double"}},
    ],
}
AT = datetime(2016, 4, 28, 5, 0, 0, 1000, UTC)
RECORD = {"id": 1, "at": AT, "amount": Decimal("-7.5000"), "key": UUID(int=5), "more": {"a": 1.0, "b": 1e16}}
LOADED = (
    '(1,"2016-04-28 05:00:00.001+00",-7.5000,00000000-0000-0000-0000-000000000005,'
    '"{""a"": 1.0, ""b"": 10000000000000000}")'
)


def written(*records: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, SCHEMA, records, sync_interval=1)
    return stream.getvalue()


@only_postgres
@pytest.mark.parametrize("decoder", ["arrow", "fastavro", PLAIN])
def test_values_lie_in_the_table_as_they_were_written(connection, decoder):
    execute(connection, "SET TimeZone = 'UTC'")
    assert load_file(connection, decoder, written(RECORD), "t") == 1
    assert query(connection, "SELECT t::text FROM t") == [(LOADED,)]


@only_postgres
def test_an_upsert_takes_arrow_too(connection):
    rows = [RECORD | {"id": number % 3, "amount": Decimal(number)} for number in range(9)]
    assert load_file(connection, "arrow", written(*rows), "t", ("id",)) == 9
    assert query(connection, "SELECT id, amount FROM t ORDER BY id") == [(0, 6), (1, 7), (2, 8)]


@only_postgres
def test_a_wider_type_of_the_table_is_filled(connection):
    execute(
        connection,
        "CREATE TABLE t (id bigint, at timestamp, amount numeric, key uuid, more jsonb, loaded boolean DEFAULT true)",
    )
    assert load_file(connection, "arrow", written(RECORD), "t") == 1
    assert query(connection, "SELECT id, at, amount, loaded FROM t") == [
        (1, AT.replace(tzinfo=None), Decimal("-7.5000"), True)
    ]


@only_postgres
@pytest.mark.parametrize(
    "definition",
    ["id text", "id smallint", "id numeric", "at date", "more json", "key text", "id int[]"],
)
def test_a_column_of_another_type_is_left_to_text(connection, definition):
    name = definition.split()[0]
    execute(connection, f"CREATE TABLE t ({definition})")
    dialect = dialect_of(connection)
    columns = [one for one in columns_of(parse_writer_schema(SCHEMA, "k")) if one.name == name]
    refusal = dialect.arrow_refusal(connection, Target("t", tuple(columns)))
    assert refusal is not None
    assert f"column {name!r} is of type" in refusal


@only_postgres
def test_what_was_left_to_fastavro_goes_into_the_same_copy(connection):
    """A block with a value that Arrow does not decide about, between two that it does."""
    schema = {"type": "record", "name": "r", "fields": [{"name": "v", "type": {"type": "array", "items": "string"}}]}
    data = io.BytesIO()
    fastavro.writer(data, schema, [{"v": ["x" * 600_000]}, {"v": ["a\0b"]}, {"v": ["c"]}], sync_interval=1)
    dialect = dialect_of(connection)
    with pytest.raises(dialect.driver.Error) as caught:
        load_file(connection, "arrow", data.getvalue(), "t")
    assert dialect.fault(caught.value) == "rows"
    assert query(connection, "SELECT * FROM t") == []


@pytest.mark.parametrize("decoder", ["arrow", "fastavro"])
def test_the_first_rows_are_sent_before_more_are_decoded(decoder):
    stream, record = io.BytesIO(), {"text": "x" * 10_000}
    schema = {"type": "record", "name": "r", "fields": [{"name": "text", "type": "string"}]}
    fastavro.writer(stream, schema, [record] * 400)
    stream.seek(0)
    file = ContainerFile(stream)
    writer = parse_writer_schema(file.schema, "k")
    columns = columns_of(writer)
    decoded: list[int] = []

    def batches() -> Any:
        with closing(DecoderChoice(decoder).batches(file, writer, None, columns, None)) as decoding:
            for batch in decoding:
                decoded.append(batch.rows)
                yield batch

    with closing(binary_copy({"text": "text"}, columns, batches())) as chunks:
        assert len(next(chunks)) < 100  # the header
        assert len(next(chunks)) > 1_000_000
    assert len(decoded) == 1


def test_a_value_beyond_its_type_names_its_column():
    column = Column("n", "n", "integer")
    with pytest.raises(UnstorableValue, match="'n'"):
        list(binary_copy({"n": "integer"}, [column], [Batch(1, ([2**40],))]))
