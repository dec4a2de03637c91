from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
from airflow_agari_provider.databases.dialects import dialect_of
from airflow_agari_provider.databases.statements import execute
from tests.avro.scored_messages import messages


def test_two_importers_create_the_tables_at_once(connect):
    start = threading.Barrier(4, timeout=30)

    def create() -> None:
        with closing(connect()) as connection:
            start.wait()
            create_import_tables(dialect_of(connection), connection)

    with ThreadPoolExecutor(4) as pool:
        for created in [pool.submit(create) for _ in range(4)]:
            created.result()


def test_a_ledger_of_an_older_version_gets_the_columns_that_it_lacks(importer, put, rows, connect):
    put("a.avro", messages(2))
    importer().import_object("agari", "a.avro")
    with closing(connect()) as connection:
        execute(connection, "ALTER TABLE agari_import_ledger DROP COLUMN content")
        connection.commit()
    put("b.avro", messages(2, first=2))
    assert importer().import_object("agari", "a.avro").skipped
    assert importer().import_object("agari", "b.avro").rows == 2
    assert [len(one or "") for one in rows("SELECT content FROM agari_import_ledger ORDER BY object_key")] == [0, 64]


@pytest.mark.parametrize("connect", ["psycopg", "mysqlclient"], indirect=True)
def test_the_documented_tables_are_those_of_the_import(importer, put, rows, connect, request):
    page = (request.config.rootpath / "docs" / "avro_s3_import.md").read_text()
    schema = "current_schema()" if "psycopg" in request.node.name else "DATABASE()"
    heading = "PostgreSQL:\n\n```sql\n" if "psycopg" in request.node.name else "MySQL and MariaDB:\n\n```sql\n"
    tables = page.partition(heading)[2].partition("```")[0]

    def columns() -> list[Any]:
        sql = (
            "SELECT table_name, column_name, data_type, is_nullable, character_set_name, collation_name "
            "FROM information_schema.columns WHERE table_name IN ('agari_import_ledger', 'agari_import_failures') "
            f"AND table_schema = {schema} ORDER BY table_name, ordinal_position"
        )
        return rows(sql)

    importer()
    created = columns()
    with closing(connect()) as connection:
        for statement in ("DROP TABLE agari_import_ledger", "DROP TABLE agari_import_failures", *tables.split(";\n")):
            if statement.strip():
                execute(connection, statement)
        connection.commit()
    assert [row[1] for row in columns()] == [row[1] for row in created]
    assert columns() == created
    put("a.avro", messages(2))
    assert importer().import_object("agari", "a.avro").rows == 2
