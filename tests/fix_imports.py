"""An importer into each of our databases in turn, what it imports, and what arrives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.databases.statements import query
from tests.avro_import.importers import importers


@pytest.fixture
def importer(connect: Callable[[], Any], s3: Any, bucket: str) -> Any:
    """Makes importers for jobs; the table is ``scored`` and is created."""
    with importers(connect, s3, create_table=True) as make:
        yield make


@pytest.fixture
def put(s3: Any, bucket: str) -> Callable[[str, bytes], str]:
    """Puts an object, and gives its ETag."""
    return lambda key, data: s3.put_object(Bucket=bucket, Key=key, Body=data)["ETag"].strip('"')


@pytest.fixture
def rows(connect: Callable[[], Any]) -> Callable[[str], list[Any]]:
    def rows(sql: str = "SELECT message_id FROM scored ORDER BY 1") -> list[Any]:
        with closing(connect()) as connection:
            found = query(connection, sql)
        return [row[0] for row in found] if found and len(found[0]) == 1 else found

    return rows


@pytest.fixture
def postgres_trigger(connect: Callable[[], Any]) -> None:
    with closing(connect()) as connection:
        connection.cursor().execute(
            "CREATE TABLE scored (message_id text, org_id int, hour text, received_at timestamptz, trust_score float);"
            "CREATE FUNCTION drop_m1() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RETURN CASE WHEN NEW.message_id = 'm1' THEN NULL ELSE NEW END; END $$;"
            "CREATE TRIGGER t BEFORE INSERT ON scored FOR EACH ROW EXECUTE FUNCTION drop_m1()"
        )
        connection.commit()
