"""Small tables, and how tests load and read them through any of our databases."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import Column, columns_of
from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import create_table, query, transaction
from tests.fix_databases import DATABASES, WITHOUT_ARROW

PLAIN = "plain"  # fastavro's values as Python objects
MYSQL = ("mysqlclient", "pymysql", "mysql.connector")  # drivers

ID = Column("id", "id", "integer", False)
NAME = Column("name", "name", "text")
SCORE = Column("score", "score", "integer")
KEYED = Target("t", (ID, NAME, SCORE), ("id", "name"))

every_way = pytest.mark.parametrize("connect", [*DATABASES, WITHOUT_ARROW], indirect=True)


def loaded(connection: Any, target: Target, *batches: Sequence[Sequence[Any]]) -> int:
    """Create the table, load batches given as rows, and count as the database does."""
    dialect = dialect_of(connection)
    create_table(dialect, connection, target)
    with transaction(dialect, connection):
        return dialect.load(connection, target, (Batch(len(rows), tuple(zip(*rows, strict=True))) for rows in batches))


def rows_of(connection: Any, table: str = "t") -> list[tuple[Any, ...]]:
    return query(connection, f"SELECT * FROM {table} ORDER BY 1")


def family(connection: Any) -> str:
    return {"psycopg": "postgres", "psycopg2": "postgres", "MySQLdb": "mysql", "sqlite3": "sqlite"}[
        type(connection).__module__.partition(".")[0]
    ]


def load_file(connection: Any, decoder: Any, data: bytes, table: str, keys: tuple[str, ...] = ()) -> int:
    """Create the table for an Avro file and load it, in the way that the database takes values of the decoder."""
    file = ContainerFile(io.BytesIO(data))
    writer = parse_writer_schema(file.schema, "k")
    target = Target(table, columns_of(writer), keys)
    dialect = dialect_of(connection)
    create_table(dialect, connection, target)
    with transaction(dialect, connection):
        refusal = "not asked for" if decoder == PLAIN else dialect.arrow_refusal(connection, target)
        choice = DecoderChoice("auto" if decoder == PLAIN else decoder)
        with closing(choice.batches(file, writer, None, target.columns, refusal)) as batches:
            return dialect.load(connection, target, batches)
