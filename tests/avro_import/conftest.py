"""Imports of one object, ``a.avro``, with a quarantine."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.databases.statements import query
from tests.avro_import.bad_objects import FOLDER
from tests.avro_import.importers import QUARANTINE, importers


@pytest.fixture
def quarantining(connect: Callable[[], Any], s3: Any, bucket: str) -> Any:
    """Makes importers that quarantine what is bad; the table is ``scored`` and is created."""
    with importers(connect, s3, create_table=True, **QUARANTINE) as make:
        yield make


@pytest.fixture
def found(connect: Callable[[], Any]) -> Callable[[str], list[Any]]:
    """Asks the database; gives whole rows."""

    def found(sql: str) -> list[Any]:
        with closing(connect()) as connection:
            return query(connection, sql)

    return found


@pytest.fixture
def put_object(s3: Any, bucket: str) -> Callable[[bytes], None]:
    """Puts the object."""
    return lambda data: s3.put_object(Bucket=bucket, Key="a.avro", Body=data)


@pytest.fixture
def quarantined(s3: Any, bucket: str) -> Callable[[], dict[str, bytes]]:
    """Contents of what is in quarantine, by name."""

    def quarantined() -> dict[str, bytes]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix="quarantine/").get("Contents", [])
        keys = [entry["Key"] for entry in found]
        assert all(key.startswith(FOLDER) for key in keys)
        return {key.rpartition("/")[2]: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    return quarantined
