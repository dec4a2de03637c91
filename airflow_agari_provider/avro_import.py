"""
One Avro object into one table, in one transaction: its claim in the ledger, its rows, their counts.

Killed anywhere, an import leaves nothing of the object or everything.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import MissingFields, UnsupportedAvroType, columns_of
from airflow_agari_provider.avro.objects import FoundObject, ObjectStream, StoredObject
from airflow_agari_provider.avro.records import Batch, decode
from airflow_agari_provider.avro.schemas import AvroSchema, parse_reader_schema, parse_writer_schema
from airflow_agari_provider.exceptions import AgariError, UnimportableObject
from airflow_agari_provider.import_job import ImportedObject, ImportJob, reason
from airflow_agari_provider.loaders import ledger
from airflow_agari_provider.loaders.base import (
    MissingColumns,
    MissingTable,
    Target,
    create_table,
    execute,
    quoted_table,
    reading,
    table_columns,
    transaction,
)
from airflow_agari_provider.loaders.dialects import dialect_of

logger = logging.getLogger(__name__)

CONFLICT_TRIES = 5  # transactions for one object before a deadlock is an error
SHOWN_FAILURES = 10  # in the text of an error


class RowsRefused(UnimportableObject):
    """
    Rows that the database refused: they break a constraint or do not fit their column.

    :param url: S3 URL of the object.
    :param cause: what the database says.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        return f"{self.url}: the database refused its rows, so none was loaded: {self.cause.strip()}"


class RowsLost(AgariError):
    """
    A database that counts other rows than it was given, such as one with a trigger that drops some.

    :param url: S3 URL of the object.
    :param read: rows read from the object.
    :param loaded: rows that the database counted.
    """

    def __init__(self, url: str, read: int, loaded: int) -> None:
        super().__init__(url, read, loaded)
        self.url, self.read, self.loaded = url, read, loaded

    def __str__(self) -> str:
        return (
            f"{self.url} has {self.read} rows, but the database counted {self.loaded}: rolled back. "
            "Look for triggers or rules of the table that drop rows or add some."
        )


class ObjectsFailed(UnimportableObject):
    """
    Objects that could not be imported, where the others were.

    :param reasons: text of each object's error.
    :param imported: number of the others.
    """

    def __init__(self, reasons: Sequence[str], imported: int) -> None:
        super().__init__(list(reasons), imported)
        self.reasons, self.imported = list(reasons), imported

    def __str__(self) -> str:
        lines = [
            f"{len(self.reasons)} object(s) could not be imported; {self.imported} are in the table:",
            *self.reasons[:SHOWN_FAILURES],
        ]
        if len(self.reasons) > SHOWN_FAILURES:
            lines.append(f"... and {len(self.reasons) - SHOWN_FAILURES} more; see table {ledger.FAILURES}")
        return "\n".join(lines)


class Progress:
    """Logs how far a long import is, every few seconds."""

    def __init__(self, interval: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._rows = 0
        self._began = self._logged = clock()

    def add(self, rows: int) -> None:
        self._rows += rows
        now = self._clock()
        if now - self._logged >= self._interval:
            self._logged = now
            logger.info("%s rows, %.0f rows/s", self._rows, self._rows / (now - self._began))


class Importer:
    """
    Imports objects into the table of a job.

    :param connection: DB-API connection; the importer's own from now on.
    :param s3: boto3 client of S3.
    :raises UnknownDatabase: a database without a loader here.
    """

    def __init__(self, connection: Any, s3: Any, job: ImportJob, progress: Progress | None = None) -> None:
        self.job = job
        self.dialect = dialect_of(connection)
        self._connection = connection
        self._s3 = s3
        self._progress = progress or Progress()
        self._reader = parse_reader_schema(job.reader_schema) if job.reader_schema else None
        self.dialect.prepare(connection)
        ledger.create_tables(self.dialect, connection)

    def close(self) -> None:
        with suppress(self.dialect.driver.Error):
            self._connection.close()

    def import_object(
        self, bucket: str, key: str, version_id: str | None = None, etag: str | None = None
    ) -> ImportedObject:
        """
        Import an object in a transaction of its own.

        :param version_id: the version to read; None reads the current content.
        :param etag: of the content, where it is known: what is in the table already is then not even asked for.
        :raises UnimportableObject: nothing was loaded, and trying again would not help; the reason is written down.
        :raises MissingTable: and ``create_table`` is not set.
        """
        with reading(self._connection):
            if etag and ledger.is_loaded(self.dialect, self._connection, self.job.table, bucket, key, etag):
                return ImportedObject(f"s3://{bucket}/{key}", skipped=True)
        with self._failures_recorded(bucket, key):
            for _ in range(CONFLICT_TRIES - 1):
                try:
                    return self._import(bucket, key, version_id)
                except self.dialect.driver.Error as error:
                    if self.dialect.fault(error) != "conflict":
                        raise
                    logger.warning("s3://%s/%s: in another transaction's way, once more: %s", bucket, key, error)
            return self._import(bucket, key, version_id)

    def import_objects(self, found: Iterable[FoundObject]) -> list[ImportedObject]:
        """
        Import objects, each in a transaction of its own; one that cannot be imported does not keep the others back.

        :raises ObjectsFailed: afterwards, if any could not be imported.
        """
        imported, reasons = [], []
        for bucket, key, etag in found:
            try:
                imported.append(self.import_object(bucket, key, etag=etag))
            except UnimportableObject as error:
                reasons.append(reason(f"s3://{bucket}/{key}", error))
                logger.error("Not imported: %s", reasons[-1])
        if reasons:
            raise ObjectsFailed(reasons, len(imported))
        return imported

    def replace_window(self, found: Iterable[FoundObject]) -> list[ImportedObject]:
        """
        Delete the rows of ``replace_where`` and import all objects, in one transaction.

        :raises UnimportableObject: the table is as it was, and trying again would not help.
        """
        found = list(found)
        for bucket, key, _ in found[:1]:  # before the transaction: databases like MySQL commit at CREATE TABLE
            with self._failures_recorded(bucket, key), ObjectStream(self._s3, bucket, key) as stream:
                self._create_table(self._open(stream).target)
        imported: list[ImportedObject] = []
        try:
            with transaction(self.dialect, self._connection):
                table = quoted_table(self.dialect, self.job.table)
                deleted = execute(self._connection, f"DELETE FROM {table} WHERE {self.job.replace_where}")  # noqa: S608
                logger.info("%s rows of the window deleted", deleted)
                for bucket, key, _ in found:
                    with ObjectStream(self._s3, bucket, key) as stream, self._refusals(stream.stored.url):
                        imported.append(self._load(self._open(stream)))
        except UnimportableObject as error:
            bucket, key, _ = found[len(imported)]
            self.record_failure(bucket, key, error)
            logger.error("Nothing imported: %s", reason(f"s3://{bucket}/{key}", error))
            raise
        return imported

    def record_failure(self, bucket: str, key: str, error: Exception) -> None:
        """Write down why an object, or a message that names none, could not be imported."""
        ledger.record_failure(self.dialect, self._connection, bucket, key, str(error), self.job.run)

    @contextmanager
    def _failures_recorded(self, bucket: str, key: str) -> Iterator[None]:
        try:
            yield
        except UnimportableObject as error:
            self.record_failure(bucket, key, error)
            raise

    @contextmanager
    def _refusals(self, url: str) -> Iterator[None]:
        try:
            yield
        except self.dialect.driver.Error as error:
            if self.dialect.fault(error) == "rows":
                raise RowsRefused(url, str(error)) from error
            raise

    def _import(self, bucket: str, key: str, version_id: str | None) -> ImportedObject:
        with ObjectStream(self._s3, bucket, key, version_id) as stream:
            opened = self._open(stream)
            self._create_table(opened.target)
            with self._refusals(stream.stored.url), transaction(self.dialect, self._connection):
                return self._load(opened)

    def _open(self, stream: ObjectStream) -> _Opened:
        file = ContainerFile(stream, stream.stored.url)
        writer = parse_writer_schema(file.schema, file.source)
        columns = columns_of(self._reader or writer, self.job.columns)
        names = [column.name for column in columns]
        needed = {*self.job.key_columns, self.job.count_by} - {None}
        if missing := sorted(str(name) for name in needed if name not in names):
            raise MissingFields(missing, names)
        if any(column.name == self.job.count_by and column.kind == "json" for column in columns):
            raise UnsupportedAvroType(str(self.job.count_by), "it is JSON, by which rows cannot be counted")
        return _Opened(stream.stored, file, writer, Target(self.job.table, columns, self.job.key_columns))

    def _create_table(self, target: Target) -> None:
        with reading(self._connection):
            there = self.dialect.table_exists(self._connection, target.table)
        if not there and not self.job.create_table:
            raise MissingTable(target.table)
        if not there:
            create_table(self.dialect, self._connection, target)

    def _load(self, opened: _Opened) -> ImportedObject:
        """In a transaction: claim the object and load it."""
        job, stored, target = self.job, opened.stored, opened.target
        again = job.mode == "replace"
        claimed = ledger.claim(
            self.dialect, self._connection, job.table, stored, job.run, job.on_changed_object, again=again
        )
        if not claimed:
            return ImportedObject(stored.url, skipped=True)
        self._check_columns(target)
        tally = _Tally(target, job.count_by, self._progress)
        batches = tally.counted(decode(opened.file, opened.writer, self._reader, target.columns))
        loaded = self.dialect.load(self._connection, target, batches)
        if loaded != tally.rows:
            raise RowsLost(stored.url, tally.rows, loaded)
        ledger.settle(self.dialect, self._connection, job.table, stored, loaded, tally.counts)
        return ImportedObject(stored.url, loaded, stored.size_bytes, dict(tally.counts))

    def _check_columns(self, target: Target) -> None:
        available = table_columns(self.dialect, self._connection, target.table)
        known = {name.casefold() for name in available}
        if missing := [column.name for column in target.columns if column.name.casefold() not in known]:
            raise MissingColumns(target.table, missing, available)


@dataclass(frozen=True)
class _Opened:
    """An object whose header was read, and where it goes."""

    stored: StoredObject
    file: ContainerFile
    writer: AvroSchema
    target: Target


class _Tally:
    """Counts the rows on their way into the database."""

    def __init__(self, target: Target, count_by: str | None, progress: Progress) -> None:
        self.rows = 0
        self.counts: Counter[str] = Counter()
        names = [column.name for column in target.columns]
        self._position = names.index(count_by) if count_by else None
        self._progress = progress

    def counted(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        for batch in batches:
            yield batch
            self.rows += batch.rows
            if self._position is not None:
                for value, rows in Counter(batch.columns[self._position]).items():
                    self.counts["null" if value is None else str(value)] += rows
            self._progress.add(batch.rows)
