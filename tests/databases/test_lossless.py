"""A table whose types would round or cut in silence is refused before anything is loaded; any other is not."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from airflow_agari_provider.avro.columns import Column, UnsupportedAvroType, columns_of
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import execute, query, transaction
from tests.avro.scored_messages import messages
from tests.databases.loading import family

MONEY = Column("v", "v", "decimal", precision=12, scale=4)
DOUBLE = Column("v", "v", "double")
LONG = Column("v", "v", "long")
INSTANT = Column("v", "v", "instant", precision=6)
MILLIS = Column("v", "v", "instant", precision=3)
TEXT = Column("v", "v", "text")
ENUM = Column("v", "v", "text", length=9)
FLOAT = Column("v", "v", "float")
INTEGER = Column("v", "v", "integer")
BOOLEAN = Column("v", "v", "boolean")
BYTES = Column("v", "v", "bytes")
TIME = Column("v", "v", "time", precision=6)
ID = Column("v", "v", "uuid")

# (column, type in the table, databases that lose, databases that do not); what a database has no such type for is in
# neither.
CASES = [
    (MONEY, "NUMERIC(12, 2)", ["postgres", "mysql", "sqlite"], []),
    (MONEY, "NUMERIC(14, 4)", ["sqlite"], ["postgres", "mysql"]),
    (MONEY, "VARCHAR(40)", [], ["postgres", "mysql", "sqlite"]),
    (MONEY, "DOUBLE PRECISION", ["postgres", "mysql", "sqlite"], []),
    (DOUBLE, "FLOAT(20)", ["postgres", "mysql"], ["sqlite"]),
    (DOUBLE, "NUMERIC(12, 2)", ["postgres", "mysql"], ["sqlite"]),
    (DOUBLE, "DOUBLE PRECISION", [], ["postgres", "mysql", "sqlite"]),
    (DOUBLE, "INTEGER", ["postgres", "mysql"], ["sqlite"]),
    (LONG, "DOUBLE PRECISION", ["postgres", "mysql", "sqlite"], []),
    (LONG, "BIGINT", [], ["postgres", "mysql", "sqlite"]),
    (LONG, "INTEGER", [], ["postgres", "mysql", "sqlite"]),  # which refuses what is too large, or holds it
    (LONG, "VARCHAR(40)", [], ["postgres", "mysql", "sqlite"]),
    (INSTANT, "DATE", ["postgres", "mysql"], ["sqlite"]),
    (INSTANT, "TIMESTAMP(3)", ["postgres"], ["sqlite"]),
    (INSTANT, "DATETIME", ["mysql"], ["sqlite"]),
    (INSTANT, "DATETIME(6)", [], ["mysql", "sqlite"]),
    (INSTANT, "TIMESTAMP", [], ["postgres", "sqlite"]),
    (MILLIS, "TIMESTAMP(3)", [], ["postgres", "sqlite"]),
    (MILLIS, "DATETIME(3)", [], ["mysql", "sqlite"]),
    (TIME, "TIME(3)", ["postgres", "mysql"], ["sqlite"]),
    (TEXT, "CHAR(10)", ["postgres", "mysql"], ["sqlite"]),
    (TEXT, "VARCHAR(10)", [], ["postgres", "mysql", "sqlite"]),
    (TEXT, "INTEGER", ["sqlite"], []),
    (ID, "BYTEA", ["postgres"], []),
    (ID, "BLOB", ["mysql", "sqlite"], []),
    (ID, "CHAR(36)", [], ["postgres", "mysql", "sqlite"]),
]


def test_types_that_lose_in_silence_are_refused_and_no_others(connection):
    dialect = dialect_of(connection)
    if family(connection) == "postgres":
        execute(connection, "CREATE DOMAIN cents AS numeric(5, -2)")
    for column, kind, losing, keeping in CASES:
        if family(connection) not in [*losing, *keeping]:
            continue
        execute(connection, f"CREATE TABLE t (V {kind})")
        try:
            dialect.require_lossless(connection, Target("t", (column,)))
            refused = None
        except UnsupportedAvroType as error:
            refused = str(error)
        assert (refused is not None) is (family(connection) in losing), f"{column.kind} into {kind}: {refused}"
        assert refused is None or "Column 'v': the table has it as " in refused
        execute(connection, "DROP TABLE t")


LOST = [
    (MONEY, "NUMERIC(12, 2)", Decimal("1.2345")),
    (DOUBLE, "FLOAT(20)", 1 / 3),
    (INSTANT, "DATE", datetime(2016, 4, 28, 5, 0, 0, 1, UTC)),
    (TIME, "TIME(3)", datetime(2016, 4, 28, 5, 0, 0, 1).time()),
]
LOST_BY_POSTGRES = [
    (MONEY, "MONEY", Decimal("1.2345")),
    (INTEGER, "NUMERIC(5, -2)", 1234),
    (INTEGER, "DATE", 20160428),
    (TEXT, "NAME", "x" * 64),
    (TEXT, '"char"', "xy"),
    (TEXT, "DATE", "2016-04-28 05:06:07"),
    (TEXT, "TIMESTAMP", "2016-04-28 05:06:07+09:00"),
]
LOST_BY_MYSQL = [
    (DOUBLE, "DOUBLE(10, 2)", 1.239),
    (FLOAT, "FLOAT(10, 2)", 1.239),
    (BYTES, "BINARY(6)", b"abc"),
    (INTEGER, "YEAR", 16),
    (INTEGER, "TIME", 101),
    (INTEGER, "ENUM('a', 'b')", 1),
    (TEXT, "INTEGER", "1.6"),
    (TEXT, "DECIMAL(5, 1)", "1.29"),
    (TEXT, "SET('a', 'b')", "b,a"),
]
LOST_BY_SQLITE = [(TEXT, "INTEGER", "007"), (LONG, "REAL", 2**60 + 1), (DOUBLE, "TEXT", 0.1 + 0.2)]


def test_the_databases_do_lose_without_a_word(connection):
    """The reason for the check: the database raises no error for any of these."""
    cases = {
        "sqlite": LOST_BY_SQLITE,
        "postgres": [*LOST, *LOST_BY_POSTGRES],
        "mysql": [*LOST, *LOST_BY_MYSQL],
    }[family(connection)]
    dialect = dialect_of(connection)
    for number, (column, kind, value) in enumerate(cases):
        execute(connection, f"CREATE TABLE t (v {kind})")
        with transaction(dialect, connection):
            dialect.load(connection, Target("t", (column,)), [Batch(1, ((value,),))])
        ((found,),) = query(connection, f"SELECT v AS v{number} FROM t")  # none that psycopg has prepared
        assert str(found) != str(value), f"{column.kind} into {kind}"
        execute(connection, "DROP TABLE t")


def test_nothing_of_an_object_is_loaded_into_such_a_table(connect, s3, bucket):
    with closing(connect()) as connection:
        text = "INTEGER" if family(connection) == "sqlite" else "CHAR(99)"
        execute(connection, f"CREATE TABLE scored (message_id {text}, trust_score DOUBLE PRECISION)")
        connection.commit()
    s3.put_object(Bucket=bucket, Key="a.avro", Body=messages(5))
    job = ImportJob("scored", "r", columns=["message_id", "trust_score"])
    importer = Importer(connect(), s3, job)
    with closing(importer), pytest.raises(UnsupportedAvroType, match="'message_id'"):
        importer.import_object("agari", "a.avro")
    with closing(connect()) as connection:
        assert query(connection, "SELECT COUNT(*) FROM scored") == [(0,)]
        assert query(connection, "SELECT COUNT(*) FROM agari_import_ledger") == [(0,)]


def test_times_say_how_many_digits_they_have():
    kinds = [{"type": "long", "logicalType": name} for name in ("timestamp-millis", "timestamp-micros")]
    fields = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(kinds)]
    columns = columns_of(parse_writer_schema({"type": "record", "name": "r", "fields": fields}, ""))
    assert [column.precision for column in columns] == [3, 6]
