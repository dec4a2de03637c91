"""What an import of a stream left in the database."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from airflow_agari_provider.databases.statements import query

SQLITE = pytest.mark.parametrize("connect", ["sqlite"], indirect=True)


@pytest.fixture
def asked(connect: Callable[[], Any]) -> Callable[..., list[Any]]:
    """Asks the database."""

    def asked(sql: str = "SELECT message_id FROM scored ORDER BY received_at") -> list[Any]:
        with closing(connect()) as connection:
            found = query(connection, sql)
        return [row[0] for row in found] if found and len(found[0]) == 1 else found

    return asked
