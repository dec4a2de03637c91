"""Avro object container files, as fastavro writes them or put together by hand, and the batches that they give."""

from __future__ import annotations

import io
import json
from typing import Any

import fastavro

from airflow_agari_provider.avro.blocks import ContainerFile, zigzag
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.records import Batch, decode
from airflow_agari_provider.avro.schemas import parse_reader_schema, parse_writer_schema

SYNC = b"0123456789abcdef"


def written(schema: Any, records: list[Any], codec: str = "null", sync_interval: int = 16_000) -> bytes:
    stream = io.BytesIO()
    fastavro.writer(stream, schema, records, codec=codec, sync_interval=sync_interval, sync_marker=SYNC)
    return stream.getvalue()


def by_hand(schema: Any, *blocks: tuple[int, bytes]) -> bytes:
    """A file of unchecked blocks: how many records each says it holds, and its payload."""
    text = json.dumps(schema).encode()
    header = b"Obj\x01" + zigzag(1) + zigzag(11) + b"avro.schema" + zigzag(len(text)) + text + b"\x00" + SYNC
    return header + b"".join(zigzag(records) + zigzag(len(data)) + data + SYNC for records, data in blocks)


def batches(data: bytes, reader: Any = None, wanted: Any = None) -> list[Batch]:
    file = ContainerFile(io.BytesIO(data), "s3://b/k")
    writer = parse_writer_schema(file.schema, file.source)
    resolved = parse_reader_schema(reader) if reader else None
    return list(decode(file, writer, resolved, columns_of(resolved or writer, wanted)))
