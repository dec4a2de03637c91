"""A connection to each of our databases in turn, and imports into a table that a test makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.outcome import ImportedObject
from airflow_agari_provider.databases.statements import execute, query
from tests.avro.scored_messages import avro_file


@pytest.fixture
def connection(connect: Callable[[], Any]) -> Any:
    with closing(connect()) as connection:
        yield connection


@pytest.fixture
def imported(connect: Callable[[], Any], s3: Any, bucket: str) -> Callable[..., ImportedObject]:
    """Imports rows into the table that some statements make."""

    def imported(
        statements: Sequence[str], fields: dict[str, Any], rows: list[dict[str, Any]], **job: Any
    ) -> ImportedObject:
        with closing(connect()) as connection:
            for statement in statements:
                execute(connection, statement)
            connection.commit()
        schema = {"type": "record", "name": "r", "fields": [{"name": n, "type": t} for n, t in fields.items()]}
        s3.put_object(Bucket=bucket, Key="a.avro", Body=avro_file(rows, schema))
        with closing(Importer(connect(), s3, ImportJob("scored", "r", **job))) as importer:
            return importer.import_object(bucket, "a.avro")

    return imported


@pytest.fixture
def found(connect: Callable[[], Any]) -> Callable[..., list[Any]]:
    def found(sql: str = "SELECT * FROM scored ORDER BY 1") -> list[Any]:
        with closing(connect()) as connection:
            return query(connection, sql)

    return found
