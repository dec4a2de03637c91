"""
Decode Avro blocks to Arrow arrays with datafusion, a group of blocks at a time, and check what datafusion does not.

By itself datafusion takes truncated files for whole ones, and it never returns from a block that has more bytes than
its records need. So it gets each block as one record of our own making: an array of the block's records, followed by
a mark. If a block does not hold exactly what it says, the mark is not found in its place.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Generator, Sequence
from functools import partial
from itertools import count, pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from airflow_agari_provider.avro.arrow.batches import GROUP_BLOCKS, Group, arrow_batch, batches_of_groups
from airflow_agari_provider.avro.arrow.nested_json import json_text
from airflow_agari_provider.avro.arrow.schema import plain_schema
from airflow_agari_provider.avro.arrow.values import Unfit, only_branch, typed
from airflow_agari_provider.avro.blocks import MAGIC, SYNC_BYTES, ContainerFile, zigzag
from airflow_agari_provider.avro.columns import Column, kind_of_column
from airflow_agari_provider.avro.records import Batch, BlockDecoder
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import cut

MARK_BYTES = 16
GROUP_BYTES = 2 * 1024 * 1024  # planning each group costs datafusion 6 ms; larger groups are hardly faster


class ArrowDecoder:
    """
    Decodes the files of one schema.

    :raises NotForArrow: the schema has a type that only fastavro decodes correctly.
    """

    def __init__(self, writer: AvroSchema, columns: Sequence[Column]) -> None:
        self._writer = writer
        self._columns = columns
        self._fallback = BlockDecoder(writer, None, columns)
        self._positions = [_positions(writer, column) for column in columns]
        self._kinds = [kind_of_column(writer, column) for column in columns]
        self._mark = secrets.token_bytes(MARK_BYTES)  # random, so that no file can be made to hold it in its place
        self._header = _header(plain_schema(writer, writer.definition))

    def batches(self, file: ContainerFile) -> Generator[Batch]:
        """
        Yield the records of a file, a group of blocks at a time.

        If Arrow does not decode a group to the last byte, or would not hold a value as fastavro does, then fastavro
        decodes the group and reports what is wrong.

        :raises BadAvro: the file is truncated or damaged, or its records do not fit the schema or a block's count.
        """
        from datafusion import SessionConfig, SessionContext

        # A batch is full with the last record of a group, so the decoder never asks for more data after it.
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
        values = [_values(records, path) for path in self._positions]
        made = (
            partial(json_text, column.bytes_in_json) if column.kind == "json" else typed for column in self._columns
        )
        arrays = tuple(make(self._writer, *pair) for make, *pair in zip(made, self._kinds, values, strict=True))
        return arrow_batch(len(records), self._columns, arrays)

    def _records(self, batch: Any, counts: Sequence[int]) -> Any:
        """
        Return the records of all blocks of a group.

        :param counts: how many records each block says it holds.
        :raises Unfit: a block does not hold exactly as many records as it says, and nothing more.
        """
        import pyarrow as pa

        if batch is None or batch.num_rows != GROUP_BLOCKS:
            raise Unfit("a block ends too early")
        marks = batch.column(1).cast(pa.binary()).to_pylist()
        offsets = batch.column(0).offsets.to_pylist()
        found = [end - start for start, end in pairwise(offsets)]
        if marks != [self._mark] * GROUP_BLOCKS or found != [*counts, *[0] * (GROUP_BLOCKS - len(counts))]:
            raise Unfit("a block does not hold exactly the records that it says")
        return batch.column(0).flatten()


def _positions(writer: AvroSchema, column: Column) -> list[int]:
    """Return the position of a column's field in the record, then in the record within it, and so on."""
    kind = writer.definition
    positions: list[int] = []
    for name in () if column.field is None else (column.field, *column.inside):
        fields = only_branch(writer, kind)["fields"]
        positions.append([field["name"] for field in fields].index(name))
        kind = fields[positions[-1]]["type"]
    return positions


def _values(records: Any, path: Sequence[int]) -> Any:
    import pyarrow.compute as pc

    if len(path) < 2:
        return records.field(path[0]) if path else records
    return pc.struct_field(records, path)  # null where a record on the way is


def _header(plain: Any) -> bytes:
    mark = {"type": "fixed", "name": "mark", "size": MARK_BYTES}
    fields = [{"name": "items", "type": {"type": "array", "items": plain}}, {"name": "mark", "type": mark}]
    schema = json.dumps({"type": "record", "name": "block", "fields": fields}).encode()
    key = b"avro.schema"
    return b"".join([MAGIC, zigzag(1), zigzag(len(key)), key, zigzag(len(schema)), schema, zigzag(0)])


def _framed(records: int, payload: bytes, mark: bytes) -> tuple[bytes, ...]:
    """
    Return a block as an array, followed by the mark. An array is a count, the items, and a 0; if empty, only the 0.

    It is in pieces, because joining them would copy them.
    """
    return (zigzag(records) if records else b"", payload, b"\0" + mark)


def _first_batch(session: Any, path: Path) -> Any:
    try:
        stream = session.read_avro(path).execute_stream()
        return next((batch.to_pyarrow() for batch in stream), None)
    except Exception as error:  # datafusion raises this class, not a subclass
        raise Unfit(f"datafusion does not decode it ({cut(str(error), 200)})") from error
