"""Counts in objects on S3: Avro, JSON lines, or one JSON value, as Spark and other jobs write them."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.discrepancy.counted import Counted, UnusableCounts
from airflow_agari_provider.discrepancy.counts import add_value
from airflow_agari_provider.discrepancy.literals import parsed
from airflow_agari_provider.discrepancy.reading import StageNotRead
from airflow_agari_provider.exceptions import UnimportableObject, cut

MOST_OBJECTS, MOST_BYTES = 100_000, 4 * 1024**3  # counts, not messages: more is the wrong folder
MOST_JSON_BYTES = 256 * 1024**2  # of one JSON value, which is in memory at once


@dataclass(frozen=True)
class Fields:
    """
    Which records count; the parameters are those of ``Stage``.

    :param key: names of the fields of the key.
    """

    key: Sequence[str]
    count: str | None
    where: Mapping[str, Any]


def add_objects(counted: Counted, s3: Any, urls: str | Sequence[str], fields: Fields) -> None:
    """
    Add the counts of all objects at the URLs. Hidden ones are left out, such as ``_SUCCESS``.

    :param s3: boto3 client of S3.
    :raises StageNotRead: there is no object, or not even a hidden one: which does not mean no messages.
    :raises UnusableCounts: an object is damaged, or a record is no count.
    """
    from airflow_agari_provider.s3.objects import ObjectStream, objects_at

    hidden: list[str] = []
    where = urls if isinstance(urls, str) else ", ".join(urls)
    found = objects_at(s3, urls, skip=hidden.append)
    if not found and not hidden:
        raise StageNotRead(counted.stage, where, "there are no objects")
    size = sum(each.size_bytes for each in found)
    if len(found) > MOST_OBJECTS or size > MOST_BYTES:
        problem = f"{len(found):,} objects of {size:,} bytes are more than counts can be: is it the folder of messages?"
        raise UnusableCounts(counted.stage, f"{where}: {problem}")
    for each in found:
        url = f"s3://{each.bucket}/{each.key}"
        try:
            with ObjectStream(s3, each.bucket, each.key) as stream:
                _add_object(counted, stream, url, fields)
        except UnimportableObject as error:
            raise UnusableCounts(counted.stage, str(error).rstrip(".")) from error


def _add_object(counted: Counted, stream: Any, url: str, fields: Fields) -> None:
    plain = io.BufferedReader(_Raw(stream))
    try:
        if plain.peek(4)[:4] == b"Obj\x01":
            counted.add_rows(_rows(counted.stage, url, _avro_records(plain, url), fields))
        else:
            _add_json(counted, gzip.GzipFile(fileobj=plain) if url.endswith(".gz") else plain, url, fields)
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as error:
        raise UnusableCounts(counted.stage, f"{url} is damaged or cut off ({error})") from error


def _add_json(counted: Counted, reader: Any, url: str, fields: Fields) -> None:
    """Add records, one in each line; or one JSON value, which is a list of records or ``{key: count}``."""
    first = reader.readline(MOST_JSON_BYTES)
    record = _json(first)
    if isinstance(record, Mapping) and set(fields.key) <= record.keys():
        lines = itertools.chain([first], iter(lambda: reader.readline(MOST_JSON_BYTES), b""))
        counted.add_rows(_rows(counted.stage, url, _records(counted.stage, url, lines), fields))
        return
    text = first + reader.read(MOST_JSON_BYTES)
    if not text.strip():
        return
    value = _json(text)
    if value is None or len(text) >= 2 * MOST_JSON_BYTES:
        raise UnusableCounts(counted.stage, f"{url} is neither JSON lines with {list(fields.key)} nor one JSON value")
    if isinstance(value, list):
        counted.add_rows(_rows(counted.stage, url, iter(value), fields))
    else:
        counted.is_json = True
        add_value(counted, value)


def _json(text: bytes) -> Any:
    try:
        return parsed(text.decode())
    except ValueError:
        return None


def _records(stage: str, url: str, lines: Iterable[bytes]) -> Iterator[Any]:
    for line in lines:
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                said = f"{url}: {cut(repr(line.decode(errors='replace')), 80, '...')} is no JSON ({error})"
                raise UnusableCounts(stage, said) from error


def _avro_records(stream: Any, url: str) -> Iterator[Any]:
    from fastavro import parse_schema, schemaless_reader

    from airflow_agari_provider.avro.blocks import ContainerFile

    file = ContainerFile(stream, url)
    schema = parse_schema(file.schema)
    for block in file.blocks():
        payload = io.BytesIO(file.decompressed(block))
        for _ in range(block.records):
            yield schemaless_reader(payload, schema, None)


def _rows(stage: str, url: str, records: Iterator[Any], fields: Fields) -> Iterator[list[Any]]:
    """Yield the key's fields and the count of each record that counts."""
    names = [*fields.key, *([fields.count] if fields.count else [])]
    wanted = {name: str(value) for name, value in fields.where.items()}
    for record in records:
        if not isinstance(record, Mapping) or not record.keys() >= {*names, *wanted}:
            missing = f"does not have the fields {[*names, *wanted]}"
            raise UnusableCounts(stage, f"{url}: the record {cut(repr(record), 80, '...')} {missing}")
        if all(str(record[name]) == value for name, value in wanted.items()):
            yield [*(record[name] for name in names), *([] if fields.count else [1])]


class _Raw(io.RawIOBase):
    """An :class:`~airflow_agari_provider.s3.objects.ObjectStream` as Python's readers take it."""

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
