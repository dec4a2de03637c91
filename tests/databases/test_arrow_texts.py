"""Databases that take no arrays get the same values from Arrow as from fastavro."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings

from airflow_agari_provider.avro.columns import UnsupportedAvroType
from airflow_agari_provider.databases import mysql_literals
from airflow_agari_provider.databases.errors import ColumnsRefused, SameColumn, UnstorableValue
from airflow_agari_provider.databases.statements import execute, query
from tests.avro.container_files import written
from tests.avro.random_avro import files
from tests.databases.loading import MYSQL, PLAIN, load_file

pytest.importorskip("datafusion", reason="the extra [arrow] is not installed")

DECODERS = ("arrow", "fastavro", PLAIN)
elsewhere = pytest.mark.parametrize("connect", ["sqlite", *MYSQL], indirect=True)


def outcome(connection: Any, decoder: str, data: bytes) -> Any:
    """The rows, or why there are none."""
    execute(connection, "DROP TABLE IF EXISTS t")
    try:
        rows = load_file(connection, decoder, data, "t")
    except (UnstorableValue, UnsupportedAvroType, SameColumn, ColumnsRefused) as error:
        return type(error)
    found = query(connection, "SELECT * FROM t")
    assert len(found) == rows
    return found


@pytest.mark.parametrize("connect", ["sqlite", "mysqlclient"], indirect=True)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=files())
def test_all_decoders_load_the_same_rows(connection, data):
    arrow, fastavro, plain = (outcome(connection, decoder, data) for decoder in DECODERS)
    assert arrow == fastavro == plain


def field(name: str, kind: Any) -> Any:
    return {"name": name, "type": ["null", kind]}


SCHEMA: Any = {"type": "record", "name": "r", "fields": [
    field("i", "int"), field("l", "long"), field("o", "boolean"), field("f", "float"), field("d", "double"),
    field("b", "bytes"), field("s", "string"), field("e", {"type": "enum", "name": "e", "symbols": ["A", "B"]}),
    field("c", {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 10}),
    field("u", {"type": "string", "logicalType": "uuid"}), field("a", {"type": "int", "logicalType": "date"}),
    field("t", {"type": "long", "logicalType": "time-micros"}),
    field("m", {"type": "long", "logicalType": "timestamp-micros"}),
    field("n", {"type": "long", "logicalType": "local-timestamp-millis"}),
    field("j", {"type": "map", "values": ["null", "double"]}),
]}  # fmt: skip
TEXTS = ["", "a'b\\c", "\\", "'", "ü😀\n\t%s;--", "x\x1a\r", '"`']
NUMBERS = [1.0, 1 / 3, 1e16, 1e-5, -0.0, 1.7976931348623157e308, 5e-324, 123456789012345680.0, 0.1]
DECIMALS = ["0E-10", "1E-10", "-123.4500000000", "9999999999.9999999999"]
ROWS: list[dict[str, Any]] = [
    {
        "i": -(2**31) + n, "l": 2**63 - 1 - n, "o": n % 2 == 0, "f": NUMBERS[n % 4], "d": NUMBERS[n % 9],
        "b": [b"", b"\0'\\\xff"][n % 2], "s": TEXTS[n % 7], "e": "AB"[n % 2], "c": Decimal(DECIMALS[n % 4]),
        "u": UUID(int=n), "a": date(1 + n * 300, 2, 3), "t": time(23, 59, 59, n),
        "m": datetime(1000 + n * 300, 1, 2, 3, 4, 5, n, UTC), "n": datetime(2016, 4, 28, 5, 0, 0, 1000 * n),
        "j": {TEXTS[n % 7]: NUMBERS[n % 9], "": None},
    }
    for n in range(30)
] + [{"i": None}]  # fmt: skip


@elsewhere
def test_every_kind_of_value_arrives_as_from_fastavro(connection):
    found = [outcome(connection, decoder, written(SCHEMA, ROWS)) for decoder in DECODERS]
    assert len(found[0]) == 31
    assert found[0] == found[2]
    assert found[1] == found[2]


@pytest.mark.parametrize("connect", ["mysqlclient"], indirect=True)
def test_rows_take_as_many_statements_as_the_server_needs(connection, monkeypatch):
    whole = outcome(connection, "arrow", written(SCHEMA, ROWS))
    monkeypatch.setattr(mysql_literals, "STATEMENT_BYTES", 500)
    assert outcome(connection, "arrow", written(SCHEMA, ROWS)) == whole
    monkeypatch.setattr(mysql_literals, "PART_BYTES", 1000)
    assert outcome(connection, "arrow", written(SCHEMA, ROWS)) == whole


@pytest.mark.parametrize("connect", MYSQL, indirect=True)
def test_a_server_without_backslash_escapes_is_told_to_have_them(connection, connect):
    execute(connection, "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES'")
    whole = outcome(connect(), PLAIN, written(SCHEMA, ROWS))
    from airflow_agari_provider.databases.dialects import dialect_of

    dialect_of(connection).prepare(connection)
    assert outcome(connection, "arrow", written(SCHEMA, ROWS)) == whole


@elsewhere
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_the_database_does_not_hold_is_refused(connection, number, request):
    found = {outcome(connection, decoder, written("double", [1.0, number])) == UnstorableValue for decoder in DECODERS}
    assert found == {number != number or "sqlite" not in request.node.name}
