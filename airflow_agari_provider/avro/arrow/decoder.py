"""
Avro blocks to Arrow arrays: datafusion's decoder, a group of blocks at a time, and everything checked that it does not.

By itself it takes truncated files for whole ones, and never ends on a block with more bytes than records. So each block
is handed to it as one record of our own making: an array of the block's records, and behind it a mark. A block that
does not hold exactly what it says misses its mark.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Generator, Sequence
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_agari_provider.avro.arrow.batches import GROUP_BLOCKS, Group, arrow_batch, batches_of_groups
from airflow_agari_provider.avro.arrow.nested_json import json_text
from airflow_agari_provider.avro.arrow.schema import plain_schema
from airflow_agari_provider.avro.arrow.values import Unfit, typed
from airflow_agari_provider.avro.blocks import MAGIC, SYNC_BYTES, ContainerFile, zigzag
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch, BlockDecoder
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import cut

MARK_BYTES = 16
GROUP_BYTES = 2 * 1024 * 1024  # planning each group costs datafusion 6 ms; more is hardly faster


class ArrowDecoder:
    """
    Decoder of the files of one schema.

    :raises NotForArrow: a type that only fastavro decodes as it is.
    """

    def __init__(self, writer: AvroSchema, columns: Sequence[Column]) -> None:
        self._writer = writer
        self._columns = columns
        self._fallback = BlockDecoder(writer, None, columns)
        self._positions, self._kinds = wanted(writer, columns)
        self._mark = secrets.token_bytes(MARK_BYTES)  # nobody can write a file that has it in the right places
        self._header = _header(plain_schema(writer, writer.definition))

    def batches(self, file: ContainerFile) -> Generator[Batch]:
        """
        The records of a file, a group of blocks at a time.

        A group that Arrow does not decode to the last byte, or with values that it would not hold as fastavro does, is
        decoded by fastavro, which names what is wrong.

        :raises BadAvro: truncated, damaged, or records that do not fit the schema or the block's count.
        """
        from datafusion import SessionConfig, SessionContext

        # The decoder ends a batch with the last record of a group, and so never asks for more behind it.
        session = SessionContext(SessionConfig().with_target_partitions(1).with_batch_size(GROUP_BLOCKS))
        with TemporaryDirectory(prefix="agari-avro-") as folder:
            paths = (Path(folder, f"{number}.avro") for number in count())
            yield from batches_of_groups(
                file, GROUP_BYTES, lambda group: self._decoded(session, next(paths), group), self._fallback
            )

    def _decoded(self, session: Any, path: Path, group: Group) -> Batch:
        framed = [piece for block, payload in group for piece in _framed(block.records, payload, self._mark)]
        framed += [b"\0" + self._mark] * (GROUP_BLOCKS - len(group))
        size, sync = sum(map(len, framed)), bytes(SYNC_BYTES)
        with path.open("wb") as file:
            file.writelines([self._header, sync, zigzag(GROUP_BLOCKS), zigzag(size), *framed, sync])
        try:
            batch = _first_batch(session, path)
        finally:
            path.unlink()
        records = self._records(batch, [block.records for block, _ in group])
        values = [records.field(position) for position in self._positions] if self._positions else [records]
        made = (json_text if column.kind == "json" else typed for column in self._columns)
        arrays = tuple(make(self._writer, *pair) for make, *pair in zip(made, self._kinds, values, strict=True))
        return arrow_batch(len(records), self._columns, arrays)

    def _records(self, batch: Any, counts: Sequence[int]) -> Any:
        """:raises Unfit: a block does not hold so many records and not a byte more."""
        import pyarrow as pa

        if batch is None or batch.num_rows != GROUP_BLOCKS:
            raise Unfit("blocks that end too early")
        marks = batch.column(1).cast(pa.binary()).to_pylist()
        offsets = batch.column(0).offsets.to_pylist()
        found = [end - start for start, end in pairwise(offsets)]
        if marks != [self._mark] * GROUP_BLOCKS or found != [*counts, *[0] * (GROUP_BLOCKS - len(counts))]:
            raise Unfit("a block that does not hold what it says")
        return batch.column(0).flatten()


def wanted(writer: AvroSchema, columns: Sequence[Column]) -> tuple[list[int], list[Any]]:
    """Positions of the columns' fields in the record, and their types; no position where the values are no records."""
    definition = writer.resolved(writer.definition)
    if columns[0].field is None:
        return [], [definition]
    names = [field["name"] for field in definition["fields"]]
    positions = [names.index(column.field) for column in columns]
    return positions, [definition["fields"][position]["type"] for position in positions]


def _header(plain: Any) -> bytes:
    mark = {"type": "fixed", "name": "mark", "size": MARK_BYTES}
    fields = [{"name": "items", "type": {"type": "array", "items": plain}}, {"name": "mark", "type": mark}]
    schema = json.dumps({"type": "record", "name": "block", "fields": fields}).encode()
    key = b"avro.schema"
    return b"".join([MAGIC, zigzag(1), zigzag(len(key)), key, zigzag(len(schema)), schema, zigzag(0)])


def _framed(records: int, payload: bytes, mark: bytes) -> tuple[bytes, ...]:
    """As an array: a count, the items, and a 0; nothing but the 0 if it is empty. In pieces: joining them is a copy."""
    return (zigzag(records) if records else b"", payload, b"\0" + mark)


def _first_batch(session: Any, path: Path) -> Any:
    try:
        stream = session.read_avro(path).execute_stream()
        return next((batch.to_pyarrow() for batch in stream), None)
    except Exception as error:  # the class that datafusion raises
        raise Unfit(f"Arrow does not decode it ({cut(str(error), 200)})") from error
