"""Objects with damaged blocks, tables that refuse rows, and what an import of them puts into quarantine."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import closing
from typing import Any

import fastavro

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.databases.statements import execute
from tests.avro.scored_messages import avro_file, message

FOLDER = "quarantine/scored/agari/a.avro/"  # of the object a.avro, in QUARANTINE


def with_a_bad_block(rows: int = 1000) -> tuple[bytes, Any]:
    """A file whose second block is smashed, and that block as it was."""
    data = bytearray(avro_file([message(number) for number in range(rows)], block=2000))
    block = list(ContainerFile(io.BytesIO(bytes(data))).blocks())[1]
    at = data.index(block.payload)
    data[at : at + 30] = bytes(30)
    return bytes(data), block


def refused_rows(connect: Callable[[], Any], columns: str) -> None:
    """The table, with a constraint."""
    with closing(connect()) as connection:
        execute(connection, f"CREATE TABLE scored ({columns})")
        connection.commit()


def quarantine_file(found: dict[str, bytes]) -> list[dict[str, Any]]:
    (data,) = (content for name, content in found.items() if name.startswith("rows-"))
    return list(fastavro.reader(io.BytesIO(data)))  # type: ignore[arg-type]
