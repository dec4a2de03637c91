"""
Loads several small objects in one transaction, because for each alone the transaction takes longer than its rows.

Only what goes smoothly is loaded so: objects that are new to the table, sound, of one schema, and not being loaded by
others. All else is left to a transaction of its own, which tells what is wrong: so no object's failure harms another.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast

from airflow_agari_provider.avro.blocks import Block, ContainerFile
from airflow_agari_provider.avro.columns import Column
from airflow_agari_provider.avro.records import Batch, heap_out_of_sight
from airflow_agari_provider.avro_import.errors import RowsLost, is_failure
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger import ClaimedMeanwhile, LoadedObject, TableLedger
from airflow_agari_provider.avro_import.object_load import ObjectLoad
from airflow_agari_provider.avro_import.origin import with_origin
from airflow_agari_provider.avro_import.outcome import ImportedObject
from airflow_agari_provider.avro_import.row_counts import CountedValues
from airflow_agari_provider.avro_import.source_object import OpenedObject
from airflow_agari_provider.avro_import.target_table import TargetTable
from airflow_agari_provider.avro_import.transactions import ImportTransactions
from airflow_agari_provider.databases.base import PLAIN_INSERT, Dialect
from airflow_agari_provider.databases.statements import reading
from airflow_agari_provider.s3.objects import FoundObject, ObjectStream

logger = logging.getLogger(__name__)

SMALL_BYTES = 1024 * 1024  # of an object that is loaded with others; a larger one is worth a transaction of its own
JOINT_BYTES = 16 * 1024 * 1024  # of the objects of one transaction; they are in memory
RECEIVERS = 6  # threads that receive objects; S3 takes some 10 ms for the first byte of each


@dataclass
class Member:
    """
    One of the objects that are loaded together.

    :param rows: rows that its blocks say they hold, as far as they were read.
    """

    found: FoundObject
    opened: OpenedObject
    rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    uncounted: int = 0

    def outcome(self) -> ImportedObject:
        stored = self.opened.stored
        return ImportedObject(stored.url, self.rows, stored.size_bytes, dict(self.counts), self.uncounted)


@dataclass(frozen=True)
class Received:
    """
    Objects on their way from S3.

    :param outcomes: of the objects that the table has already.
    :param streams: the others, of which the table has nothing yet.
    """

    objects: Sequence[FoundObject]
    outcomes: dict[FoundObject, ImportedObject]
    streams: dict[FoundObject, Future[ObjectStream]]


class JointLoad:
    """
    Loads groups of small objects.

    :param connection: DB-API connection.
    :param s3: boto3 client of S3.
    """

    def __init__(
        self,
        dialect: Dialect,
        connection: Any,
        s3: Any,
        job: ImportJob,
        ledger: TableLedger,
        table: TargetTable,
        transactions: ImportTransactions,
        load: ObjectLoad,
    ) -> None:
        self._dialect, self._connection, self._s3, self._job = dialect, connection, s3, job
        self._ledger, self._table, self._transactions, self._load = ledger, table, transactions, load
        self._pool: ThreadPoolExecutor | None = None

    @property
    def possible(self) -> bool:
        """Whether objects are ever loaded together: by this job, in a database whose ledger takes many rows at once."""
        return self._job.objects_per_transaction > 1 and self._dialect.insert_if_absent != PLAIN_INSERT

    def groups(self, found: Iterable[FoundObject]) -> Iterator[list[FoundObject]]:
        """Part objects into groups to be loaded together, in their order; a large object is alone."""
        group: list[FoundObject] = []
        size = 0
        for one in found:
            alone = one.size_bytes > SMALL_BYTES or not self.possible
            full = len(group) >= self._job.objects_per_transaction or size + one.size_bytes > JOINT_BYTES
            if group and (alone or full):
                yield group
                group, size = [], 0
            if alone:
                yield [one]
            else:
                group.append(one)
                size += one.size_bytes
        if group:
            yield group

    def received(self, found: Sequence[FoundObject]) -> Iterator[Received]:
        """Yield groups of objects, of which the next one is received meanwhile."""
        last: Received | None = None
        if found and self.possible and not self._table.there():
            yield Received(found[:1], {}, {})  # which creates the table
            found = found[1:]
        for group in self.groups(found):
            received = self.receive(group)
            if last:
                yield last
            last = received
        if last:
            yield last

    def receive(self, objects: Sequence[FoundObject]) -> Received:
        """Ask the ledger for objects, and begin to receive those that it does not know."""
        outcomes: dict[FoundObject, ImportedObject] = {}
        streams: dict[FoundObject, Future[ObjectStream]] = {}
        if len(objects) > 1:
            with reading(self._connection):
                there = self._dialect.table_exists(self._connection, self._job.table)
                known = self._ledger.etags([(one.bucket, one.key) for one in objects]) if there else None
            self._pool = self._pool or ThreadPoolExecutor(RECEIVERS, "receive")
            for one in objects if known is not None else []:
                etags = (known or {}).get((one.bucket, one.key))
                if etags and one.etag in etags:
                    outcomes[one] = ImportedObject(f"s3://{one.bucket}/{one.key}", skipped=True)
                elif not etags:
                    streams[one] = self._pool.submit(self._received, one)
        return Received(objects, outcomes, streams)

    def _received(self, one: FoundObject) -> ObjectStream:
        with ObjectStream(self._s3, one.bucket, one.key, one.version_id) as stream:
            if stream.stored.size_bytes > SMALL_BYTES:
                raise ValueError("it is larger than it was when it was listed or announced")
            stream.receive_all()
            return stream

    def load(self, received: Received) -> dict[FoundObject, ImportedObject]:
        """Load what can be loaded together, and return the outcomes. The other objects are to be imported alone."""
        outcomes = dict(received.outcomes)
        by_schema: dict[int, list[Member]] = {}
        for one, stream in received.streams.items():
            try:
                opened = self._load.opened_stream(stream.result())
            except BaseException as error:
                if not is_failure(error):
                    raise
                logger.debug("s3://%s/%s is imported alone, which will tell more: %s", one.bucket, one.key, error)
                continue
            by_schema.setdefault(id(opened.schema), []).append(Member(one, opened))
        for members in by_schema.values():
            if len(members) > 1:
                outcomes |= self._loaded(members)
        return outcomes

    def _loaded(self, members: Sequence[Member]) -> dict[FoundObject, ImportedObject]:
        try:
            first = members[0].opened
            change = self._table.prepared(first.target, first.stored.url)
            if change.added:
                return {}
            with self._transactions.of_objects([one.opened.stored.url for one in members]) as free:
                members = [one for one, is_free in zip(members, free, strict=True) if is_free]
                if members:
                    self._put(members, change.target)
        except BaseException as error:
            if not is_failure(error):
                raise
            logger.info("%s objects are imported one by one, because together they fail: %s", len(members), error)
            return {}
        return {one.found: one.outcome() for one in members}

    def _put(self, members: Sequence[Member], target: Any) -> None:
        joined = _JoinedFile(members)
        names = [column.name for column in target.columns]
        position = names.index(self._job.count_by) if self._job.count_by else None
        file, read_by = cast("ContainerFile", joined), members[0].opened.schema.read_by
        with heap_out_of_sight(), self._load.blocks.decoded(file, read_by, target) as batches:
            whole = joined.with_origin(batches, target.columns, self._job.run)
            counted = joined.counted(whole, position, self._load.blocks.values_counted)
            loaded = self._dialect.load(self._connection, target, counted)
        if loaded != (read := sum(one.rows for one in members)):
            raise RowsLost(joined.source, read, loaded, 0)
        done = [LoadedObject(one.opened.stored, one.rows, one.counts, one.opened.stream.content()) for one in members]
        if not self._ledger.record(done):
            raise ClaimedMeanwhile("the ledger has one of them")

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)


class _JoinedFile:
    """The blocks of several files of one schema, as if they were of one file."""

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._file = members[0].opened.file
        self._passed: deque[tuple[Member, int, int]] = deque()  # of each block the first row and how many
        self._spans: list[tuple[Member, int, int]] = []  # of the current batch
        self.source = f"{len(members)} objects from {self._file.source}"

    def blocks(self) -> Iterator[Block]:
        for member in self._members:
            self._file = member.opened.file
            for block in self._file.blocks():
                self._passed.append((member, member.rows, block.records))
                member.rows += block.records
                yield block

    def decompressed(self, block: Block) -> bytes:
        return self._file.decompressed(block)  # it is asked for before the next block

    def bad(self, offset: int, problem: str) -> Exception:
        return self._file.bad(offset, problem)

    def with_origin(self, batches: Iterable[Batch], columns: Sequence[Column], run: str) -> Iterator[Batch]:
        """Pass the batches on, with the columns of their origin. A batch holds whole blocks."""
        for batch in batches:
            left, self._spans = batch.rows, []
            while left > 0:
                self._spans.append(self._passed.popleft())
                left -= self._spans[-1][2]
            urls = [member.opened.stored.url for member, _, rows in self._spans for _ in range(rows)]
            numbers = [number for _, first, rows in self._spans for number in range(first, first + rows)]
            yield with_origin(batch, columns, urls, numbers, run)

    def counted(self, batches: Iterable[Batch], position: int | None, values: CountedValues) -> Iterator[Batch]:
        """Pass the batches on, and count the rows of each object by the values of a column."""
        for batch in batches:
            spans = self._spans
            yield batch
            if position is None:
                continue
            column, start = batch.columns[position], 0
            for member, _, rows in spans:
                member.uncounted += values.count(member.counts, column[start : start + rows])
                start += rows
