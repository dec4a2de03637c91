"""What each decoder makes of a file: the batches, and the rows."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import Column, columns_of
from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.records import Batch
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.databases.statements import as_json

PLAIN = "fastavro without arrays"
every_decoder = pytest.mark.parametrize("decoder", ["arrow", "fastavro", PLAIN])


def batches(decoder: Any, data: bytes, wanted: Any = None) -> list[Batch]:
    file = ContainerFile(io.BytesIO(data), "s3://b/k")
    writer = parse_writer_schema(file.schema, file.source)
    choice, refusal = (DecoderChoice("auto"), "not asked for") if decoder == PLAIN else (DecoderChoice(decoder), None)
    return list(choice.batches(file, writer, None, columns_of(writer, wanted), refusal))


def rows(decoder: Any, data: bytes, wanted: Any = None) -> list[tuple[Any, ...]]:
    """Return JSON as text, which tells apart numbers that Python takes for equal, such as 1 and 1.0."""
    file = ContainerFile(io.BytesIO(data))
    columns = columns_of(parse_writer_schema(file.schema, "k"), wanted)
    found = batches(decoder, data, wanted)
    values = [list(chain.from_iterable(batch.columns[position] for batch in found)) for position in range(len(columns))]
    return in_rows(columns, values)


def in_rows(columns: Sequence[Column], values: list[list[Any]]) -> list[tuple[Any, ...]]:
    texts = [
        as_json(column, one) if column.kind == "json" else one for column, one in zip(columns, values, strict=True)
    ]
    return list(zip(*texts, strict=True))
