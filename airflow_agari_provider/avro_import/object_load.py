"""Loads the rows of one object into the table, after its claim in the ledger and before its figures there."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from airflow_agari_provider.avro.records import Batch, heap_out_of_sight
from airflow_agari_provider.avro_import.block_load import BlockLoad
from airflow_agari_provider.avro_import.careful_load import SoundRowsLoad
from airflow_agari_provider.avro_import.errors import RowsLost
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger import TableLedger
from airflow_agari_provider.avro_import.origin import delete_rows, with_origin
from airflow_agari_provider.avro_import.outcome import ImportedObject
from airflow_agari_provider.avro_import.progress import ImportProgress
from airflow_agari_provider.avro_import.quarantine import Quarantine
from airflow_agari_provider.avro_import.row_counts import RowCounts
from airflow_agari_provider.avro_import.schema_change import TableChange, add_columns
from airflow_agari_provider.avro_import.source_object import ObjectOpener, OpenedObject
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.warehouses import NotByCopy, RedshiftDialect, SnowflakeDialect, require_unchanged
from airflow_agari_provider.s3.content import is_current, same_content
from airflow_agari_provider.s3.objects import ObjectStream, StoredObject

logger = logging.getLogger(__name__)


class PutRows(NamedTuple):
    """
    How many rows of an object were read, loaded and quarantined.

    :param read: rows that the object's blocks say they hold.
    :param loaded: rows that the database counted.
    """

    read: int
    loaded: int
    quarantined_rows: int = 0
    quarantined_blocks: int = 0


class ObjectLoad:
    """
    Opens objects and loads them, one after the other.

    :param connection: DB-API connection.
    :param s3: boto3 client of S3.
    """

    def __init__(
        self, dialect: Dialect, connection: Any, s3: Any, job: ImportJob, ledger: TableLedger, progress: ImportProgress
    ) -> None:
        self._dialect = dialect
        self._connection = connection
        self._s3 = s3
        self._job = job
        self._ledger = ledger
        self._progress = progress
        self.blocks = BlockLoad(dialect, connection, job)
        self._opener = ObjectOpener(job, self.blocks.reader)

    @contextmanager
    def opened(
        self, bucket: str, key: str, version_id: str | None = None, careful: bool = False
    ) -> Iterator[OpenedObject]:
        """
        Open an object and read its header.

        :param version_id: the version to read; None reads the current content.
        :param careful: load what is sound, and quarantine the rest.
        :raises UnusableName: no column can have the name of a field.
        """
        with ObjectStream(self._s3, bucket, key, version_id) as stream:
            yield self.opened_stream(stream, careful)

    def opened_stream(self, stream: ObjectStream, careful: bool = False) -> OpenedObject:
        """Read the header of an object; see :meth:`opened`."""
        opened = self._opener.open(stream, careful)
        self.blocks.require_names(opened.target, opened.stored.url)
        return opened

    def run(self, opened: OpenedObject, change: TableChange) -> ImportedObject:
        """
        In a transaction: claim the object and load it.

        :raises RowsLost: the database counted a different number of rows than it was given.
        """
        job, stored, target = self._job, opened.stored, change.target
        again = job.mode == "replace"
        questions = partial(is_current, self._s3), partial(same_content, self._s3)
        claimed = self._ledger.claim(stored, job.on_changed, again, *questions)
        if claimed != "load":
            self._progress.finish(0, stored.size_bytes, passed_over=True)
            return ImportedObject(stored.url, skipped=True, changed=claimed == "changed")
        add_columns(self._dialect, self._connection, change, stored.url)
        if job.mode == "replace_objects":
            self._delete_old(stored)
        counted = RowCounts(opened.file, target, job.count_by, self.blocks.values_counted, self._progress)
        with heap_out_of_sight():
            put = self._put_rows(opened, target, counted)
        if put.read != put.loaded + put.quarantined_rows:
            raise RowsLost(stored.url, put.read, put.loaded, put.quarantined_rows)
        quarantined = put.quarantined_rows, put.quarantined_blocks
        self._ledger.settle(stored, put.loaded, counted.counts, *quarantined, opened.stream.content())
        self._progress.finish(put.loaded, stored.size_bytes)
        return ImportedObject(
            stored.url,
            put.loaded,
            stored.size_bytes,
            dict(counted.counts),
            counted.uncounted,
            quarantined_rows=put.quarantined_rows,
            quarantined_blocks=put.quarantined_blocks,
        )

    def _delete_old(self, stored: StoredObject) -> None:
        column, loaded = self._job.origin_columns["object_url"], self._ledger.loaded_rows(stored.bucket, stored.key)
        if loaded is None:
            return
        deleted = delete_rows(self._dialect, self._connection, self._job.table, column, stored.url, loaded)
        logger.info(
            "Deleted the %s rows of the old content of %s, of which %s were loaded", deleted, stored.url, loaded
        )

    def _put_rows(self, opened: OpenedObject, target: Target, counted: RowCounts) -> PutRows:
        if opened.salvaged:
            return self._put_sound_rows(opened, target, counted)
        if isinstance(self._dialect, RedshiftDialect | SnowflakeDialect):
            return self._have_copied(self._dialect, opened, target)
        try:
            with self.blocks.decoded(opened.file, opened.schema.read_by, target) as batches:
                whole = self._with_origin(batches, target, opened.stored.url)
                loaded = self._dialect.load(self._connection, target, counted.passing(whole))
        except UnstorableValue as error:
            where = f"row {counted.rows} or a later one" if error.row is None else f"row {counted.rows + error.row}"
            problem = f"{error.problem} ({where} of {opened.stored.url}, counted from 0)"
            raise UnstorableValue(error.column, problem) from error
        return PutRows(counted.rows, loaded)

    def _with_origin(self, batches: Iterable[Batch], target: Target, url: str) -> Iterator[Batch]:
        first = 0
        for batch in batches:
            numbers = range(first, first + batch.rows)
            yield with_origin(batch, target.columns, [url] * batch.rows, numbers, self._job.run)
            first += batch.rows

    def _put_sound_rows(self, opened: OpenedObject, target: Target, counted: RowCounts) -> PutRows:
        job = self._job
        assert opened.salvaged
        quarantine = Quarantine(
            self._s3, job.quarantine_url or "", job.table, opened.stored, opened.schema.writer, job.max_bad_blocks
        )
        sound = SoundRowsLoad(self._dialect, self._connection, target, quarantine, counted.add, job.run)
        loaded = sound.run(opened.salvaged, *opened.schema.read_by)
        return PutRows(sound.read, loaded, quarantine.rows, len(quarantine.offsets))

    def _have_copied(
        self, dialect: RedshiftDialect | SnowflakeDialect, opened: OpenedObject, target: Target
    ) -> PutRows:
        job, stored = self._job, opened.stored
        if job.count_by or self.blocks.reader or job.origin_columns:
            raise NotByCopy("count_by, reader_schema and origin_columns cannot be used")
        if opened.schema.writer.legacy_calendar:
            raise NotByCopy("dates of Spark's legacy calendar would be some days off")
        read = sum(block.records for block in opened.file.blocks())
        loaded = dialect.copy(self._connection, target, stored, job.copy_access or "")
        require_unchanged(self._s3, stored)
        return PutRows(read, loaded)
