"""What an import of a stream left in the database, and a registry over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.databases.statements import query
from tests.streams.registry_server import Registry, registry_server

SQLITE = pytest.mark.parametrize("connect", ["sqlite"], indirect=True)


@pytest.fixture
def asked(connect: Callable[[], Any]) -> Callable[..., list[Any]]:
    """Asks the database."""

    def asked(sql: str = "SELECT message_id FROM scored ORDER BY received_at") -> list[Any]:
        with closing(connect()) as connection:
            found = query(connection, sql)
        return [row[0] for row in found] if found and len(found[0]) == 1 else found

    return asked


@pytest.fixture
def server() -> Iterator[Registry]:
    with registry_server() as server:
        yield server
