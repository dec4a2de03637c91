"""Batches whose values are Arrow arrays. Each batch is made from a group of blocks."""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from airflow_agari_provider.avro.arrow.values import Unfit, python_values
from airflow_agari_provider.avro.blocks import Block, ContainerFile
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch, BlockDecoder, require_room
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.s3.read_ahead import ReadAhead

logger = logging.getLogger(__name__)

Group = Sequence[tuple[Block, bytes]]  # each block with its payload, decompressed
GROUP_BLOCKS = 256
# Size of the first group. It is small, because the database waits for it, but more than pgpq keeps in its buffer.
FIRST_BYTES = 1024 * 1024
NEEDED = ("datafusion", "pgpq", "pyarrow")  # modules of the extra [arrow]


@dataclass(frozen=True)
class ArrowBatch(Batch):
    """
    A batch whose values are Arrow arrays; its ``columns`` convert them to Python objects on request.

    :param arrays: one for each column, of the Arrow type for the column's kind; JSON as text.
    """

    arrays: tuple[Any, ...] = ()


class _PythonColumns(Sequence[Sequence[Any]]):
    def __init__(self, columns: Sequence[Column], arrays: Sequence[Any]) -> None:
        self._columns = columns
        self._arrays = arrays

    def __len__(self) -> int:
        return len(self._arrays)

    def __getitem__(self, position: Any) -> Any:
        return python_values(self._arrays[position], self._columns[position].kind)


def missing_modules() -> list[str]:
    """Return the modules of the extra that are not installed. Each call looks them up, which takes microseconds."""
    return [name for name in NEEDED if find_spec(name) is None]


def why_missing(missing: Sequence[str]) -> str:
    """Say as a clause why Arrow cannot be used: these modules are missing."""
    text = f"{', '.join(missing)} is not installed; it comes with the extra [arrow]"
    if list(missing) == ["pgpq"] and sys.platform == "linux" and platform.machine() == "aarch64":
        return f"{text}, but not on Linux with aarch64, for which pgpq has no wheels"
    return text


def arrow_batch(rows: int, columns: Sequence[Column], arrays: tuple[Any, ...]) -> ArrowBatch:
    return ArrowBatch(rows, _PythonColumns(columns, arrays), arrays)


def batches_of_groups(
    file: ContainerFile, group_bytes: int, decoded: Callable[[Group], Batch], fallback: BlockDecoder
) -> Generator[Batch]:
    """
    Yield the records of a file, a group of blocks at a time.

    :param group_bytes: size of a group, decompressed; several copies of it are in memory.
    :param decoded: returns the batch of a group, or raises :class:`Unfit` if Arrow would hold a value differently
        from fastavro.
    :param fallback: decodes the blocks of such a group, or reports what is wrong with them.
    :raises BadAvro: the file is truncated or damaged, or its records do not fit the schema or a block's count.
    """
    with closing(ReadAhead(_groups(file, group_bytes, fallback.writer), 1)) as groups, _memory_of_malloc():
        for group in groups:
            try:
                yield decoded(group)
            except Unfit as error:
                logger.info(
                    "%s, byte %s: fastavro decodes this group of blocks without Arrow: %s",
                    file.source,
                    group[0][0].offset,
                    error,
                )
                for one in group:
                    yield fallback.batch(file, [one])


@contextmanager
def _memory_of_malloc() -> Iterator[None]:
    """
    Let Arrow use the system's allocator.

    Arrow's own allocator takes huge pages: with it the first two groups of a process cost the kernel about 30 ms more,
    and the database waits for these groups.
    """
    import pyarrow as pa

    pool = pa.default_memory_pool()
    pa.set_memory_pool(pa.system_memory_pool())
    try:
        yield
    finally:
        pa.set_memory_pool(pool)


def _groups(file: ContainerFile, group_bytes: int, writer: AvroSchema) -> Generator[Group]:
    group: list[tuple[Block, bytes]] = []
    size, enough = 0, min(group_bytes, FIRST_BYTES)
    for block in file.blocks():
        payload = file.decompressed(block)
        require_room(file, block, payload, writer)
        group.append((block, payload))
        size += max(len(payload), block.records * writer.shape.whole.empties)
        if size >= enough or len(group) == GROUP_BLOCKS:
            yield group
            group, size, enough = [], 0, group_bytes
    if group:
        yield group
