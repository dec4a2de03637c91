"""
One Avro object into one table, in one transaction: its claim in the ledger, its rows, their counts.

Killed anywhere, an import leaves nothing of the object or everything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.object_errors import ObjectOverwritten
from airflow_agari_provider.avro.objects import FoundObject, ObjectStream, StoredObject
from airflow_agari_provider.avro.records import heap_out_of_sight
from airflow_agari_provider.avro.schemas import parse_reader_schema
from airflow_agari_provider.exceptions import BadAvro, UnimportableObject
from airflow_agari_provider.import_errors import (
    ObjectBusy,
    ObjectsFailed,
    ObjectsFailedForNow,
    RowsLost,
    RowsRefused,
    UnusableName,
)
from airflow_agari_provider.import_job import ImportedObject, ImportJob, reason
from airflow_agari_provider.import_progress import Progress
from airflow_agari_provider.import_tally import PutRows, Tally
from airflow_agari_provider.loaders import ledger
from airflow_agari_provider.loaders.base import (
    Target,
    create_table,
    execute,
    quoted_list,
    quoted_table,
    reading,
    transaction,
)
from airflow_agari_provider.loaders.dialects import any_dialect_of
from airflow_agari_provider.loaders.errors import MissingTable, UnstorableValue
from airflow_agari_provider.loaders.postgres import arrow_refusal
from airflow_agari_provider.loaders.table_changes import TableChange, add_columns, table_change
from airflow_agari_provider.loaders.warehouses import NotByCopy, RedshiftDialect, SnowflakeDialect, require_unchanged
from airflow_agari_provider.opened_object import OpenedObject, open_object
from airflow_agari_provider.quarantine import Quarantine, in_quarantine
from airflow_agari_provider.sound_rows import SoundRowsLoad

logger = logging.getLogger(__name__)

T = TypeVar("T")
CONFLICT_TRIES = 5  # transactions for one object before a deadlock is an error


class Importer:
    """
    Imports objects into the table of a job.

    :param connection: DB-API connection; the importer's own from now on.
    :param s3: boto3 client of S3.
    :param placeholder: of a value in the SQL of the connection's driver, where that is not known here.
    :raises UnknownDatabase: no connection of a DB-API driver.
    :raises NoTransactions: it keeps what is rolled back.
    """

    def __init__(
        self,
        connection: Any,
        s3: Any,
        job: ImportJob,
        progress: Progress | None = None,
        placeholder: str | None = None,
    ) -> None:
        self.job = job
        self.dialect = any_dialect_of(connection, placeholder)
        self._decoder = DecoderChoice(job.decoder)
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
        self,
        bucket: str,
        key: str,
        version_id: str | None = None,
        etag: str | None = None,
        size_bytes: int = 0,
        wait: bool = True,
    ) -> ImportedObject:
        """
        Import an object in a transaction of its own.

        :param version_id: the version to read; None reads the current content.
        :param etag: of the content, where it is known: what is in the table already is then not even asked for.
        :param size_bytes: of the content, where it is known; for the progress.
        :param wait: for another importer that is at work on the same object; it may fail.
        :raises ObjectBusy: another importer is at work on it, and ``wait`` is not set.
        :raises UnimportableObject: nothing was loaded, and trying again would not help; the reason is written down.
        :raises MissingTable: and ``create_table`` is not set.
        """
        with reading(self._connection):
            there = etag and ledger.is_loaded(self.dialect, self._connection, self.job.table, bucket, key, etag)
        if there:
            self._progress.finish(0, size_bytes, passed_over=True)
            return ImportedObject(f"s3://{bucket}/{key}", skipped=True)
        with self._failures_recorded(bucket, key):
            return self._tried(lambda careful: self._import(bucket, key, version_id, careful, wait))

    def import_objects(self, found: Iterable[FoundObject]) -> list[ImportedObject]:
        """
        Import objects, each in a transaction of its own; one that cannot be imported does not keep the others back.

        Those that another importer is at work on come last, so that importers share a list among them.

        :raises ObjectsFailed: afterwards, if any could not be imported; ObjectsFailedForNow, if trying again may help.
        """
        imported, reasons, busy, curable = [], [], [], False
        todo = [(one, False) for one in self._expected(found)]
        while todo:
            (one, wait), *todo = todo
            try:
                imported.append(self.import_object(one.bucket, one.key, None, one.etag, one.size_bytes, wait))
            except ObjectBusy:
                busy.append((one, True))
            except (UnimportableObject, ObjectOverwritten) as error:
                curable |= isinstance(error, ObjectOverwritten)
                reasons.append(reason(f"s3://{one.bucket}/{one.key}", error))
                logger.error("Not imported: %s", reasons[-1])
            if not todo:  # of what others were at work on, the outcome is known when they are done
                todo, busy = busy, []
        if reasons:
            raise (ObjectsFailedForNow if curable else ObjectsFailed)(reasons, len(imported))
        return imported

    def replace_window(self, found: Iterable[FoundObject]) -> list[ImportedObject]:
        """
        Delete the rows of ``replace_where`` and import all objects, in one transaction.

        :raises MissingTable: and ``create_table`` is not set.
        :raises UnimportableObject: the table is as it was, and trying again would not help.
        """
        found = self._expected(found)
        if not found and not self._there():
            return []
        for bucket, key, *_ in found[:1] if self.job.schema_change != "add_columns" else found:
            # Before the transaction: databases like MySQL commit at a change of a table.
            with self._failures_recorded(bucket, key), ObjectStream(self._s3, bucket, key) as stream:
                self._prepare_table(self._open(stream))
        return self._tried(lambda careful: self._replace_window(found, careful))

    def _expected(self, found: Iterable[FoundObject]) -> list[FoundObject]:
        found = [one for one in found if not in_quarantine(self.job.quarantine_url, one.bucket, one.key)]
        self._progress.expect(len(found), sum(one.size_bytes for one in found))
        return found

    def _replace_window(self, found: Sequence[FoundObject], careful: bool) -> list[ImportedObject]:
        imported: list[ImportedObject] = []
        self._progress.restart()
        try:
            with self._window_alone(found):
                table = quoted_table(self.dialect, self.job.table)
                deleted = execute(self._connection, f"DELETE FROM {table} WHERE {self.job.replace_where}")  # noqa: S608
                logger.info("%s rows of the window deleted", deleted)
                for bucket, key, *_ in found:
                    with ObjectStream(self._s3, bucket, key) as stream, self._refusals(stream.stored.url):
                        opened = self._open(stream, careful)
                        change = self._table_change(opened)
                        self.dialect.require_lossless(self._connection, change.target)
                        imported.append(self._load(opened, change))
        except UnimportableObject as error:
            if careful or not self._quarantines(error):
                bucket, key, *_ = found[min(len(imported), len(found) - 1)]
                self.record_failure(bucket, key, error)
                logger.error("Nothing imported: %s", reason(f"s3://{bucket}/{key}", error))
            raise
        return imported

    @contextmanager
    def _window_alone(self, found: Iterable[FoundObject]) -> Iterator[None]:
        """
        A transaction that replaces alone, and whose objects nobody else is loading or will load meanwhile.

        All this before the DELETE, which sees only what others have committed when it begins.
        """
        with reading(self._connection):
            name, *_ = self.dialect.table_names(self._connection, self.job.table, ledger.LEDGER)
        lock = f"replace {name}"
        with self._unlocked_after(lock), transaction(self.dialect, self._connection):
            self.dialect.lock(self._connection, lock)
            for bucket, key, *_ in sorted(found):  # in one order, so that nobody waits in a circle
                ledger.hold(self.dialect, self._connection, self.job.table, bucket, key, self.job.run)
            yield

    def record_failure(self, bucket: str, key: str, error: Exception) -> None:
        """Write down why an object, or a message that names none, could not be imported."""
        text = str(error).replace("\0", "\\0").encode(errors="backslashreplace").decode()  # it may quote the object
        ledger.record_failure(self.dialect, self._connection, bucket, key, text, self.job.run)

    @contextmanager
    def _failures_recorded(self, bucket: str, key: str) -> Iterator[None]:
        try:
            yield
        except (UnimportableObject, ObjectOverwritten) as error:
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

    def _tried(self, attempt: Callable[[bool], T]) -> T:
        """
        Result of a transaction that is tried again where another one was in its way.

        :param attempt: the transaction; its argument says whether to quarantine what is bad. It is False first: sound
            objects go the fast way.
        """
        careful = False
        for number in range(CONFLICT_TRIES):
            try:
                return attempt(careful)
            except (self.dialect.driver.Error, ledger.ClaimedMeanwhile) as error:
                conflict = isinstance(error, ledger.ClaimedMeanwhile) or self.dialect.fault(error) == "conflict"
                if not conflict or number == CONFLICT_TRIES - 1:
                    raise
                logger.warning("%s: in another transaction's way, once more: %s", self.job.table, error)
            except UnimportableObject as error:
                if careful or not self._quarantines(error):
                    raise
                careful = True
                logger.warning("Once more, to load what is sound and quarantine the rest: %s", error)
        return attempt(careful)

    def _quarantines(self, error: UnimportableObject) -> bool:
        return self.job.on_bad_block == "quarantine" and isinstance(error, BadAvro | UnstorableValue | RowsRefused)

    def _import(self, bucket: str, key: str, version_id: str | None, careful: bool, wait: bool) -> ImportedObject:
        with ObjectStream(self._s3, bucket, key, version_id) as stream:
            opened = self._open(stream, careful)
            change = self._prepare_table(opened)
            with self._refusals(stream.stored.url), self._transaction_alone(stream.stored.url, wait):
                return self._load(opened, change)

    @contextmanager
    def _transaction_alone(self, url: str, wait: bool) -> Iterator[None]:
        lock = f"{self.job.table} {url}"
        with self._unlocked_after(lock), transaction(self.dialect, self._connection):
            if not self.dialect.try_lock(self._connection, lock) and not wait:
                raise ObjectBusy(url)
            yield

    @contextmanager
    def _unlocked_after(self, lock: str) -> Iterator[None]:
        """Behind the transaction: some databases keep a lock beyond it."""
        try:
            yield
        finally:
            with suppress(self.dialect.driver.Error):  # a broken connection has no locks
                self.dialect.unlock(self._connection, lock)

    def _open(self, stream: ObjectStream, careful: bool = False) -> OpenedObject:
        opened = open_object(stream, self.job, self._reader, careful)
        try:
            quoted_list(self.dialect, [column.name for column in opened.target.columns])
        except ValueError as error:
            raise UnusableName(opened.stored.url, str(error)) from error
        return opened

    def _there(self) -> bool:
        with reading(self._connection):
            there = self.dialect.table_exists(self._connection, self.job.table)
        if not there and not self.job.create_table:
            raise MissingTable(self.job.table)
        return there

    def _create_table(self, target: Target) -> None:
        if not self._there():
            create_table(self.dialect, self._connection, target)

    def _prepare_table(self, opened: OpenedObject) -> TableChange:
        """Before the transaction: create the table, and see which columns it lacks."""
        self._create_table(opened.target)
        with reading(self._connection):
            change = self._table_change(opened)
            self.dialect.require_lossless(self._connection, change.target)
        if change.added and self.dialect.ddl_commits and not self._is_loaded(opened.stored):
            add_columns(self.dialect, self._connection, change, opened.stored.url)
            return TableChange(change.target)
        return change

    def _table_change(self, opened: OpenedObject) -> TableChange:
        needed = [*self.job.key_columns, *([self.job.count_by] if self.job.count_by else [])]
        return table_change(
            self.dialect, self._connection, opened.target, self.job.schema_change, needed, opened.stored.url
        )

    def _is_loaded(self, stored: StoredObject) -> bool:
        with reading(self._connection):
            return ledger.is_loaded(
                self.dialect, self._connection, self.job.table, stored.bucket, stored.key, stored.etag
            )

    def _load(self, opened: OpenedObject, change: TableChange) -> ImportedObject:
        """In a transaction: claim the object and load it."""
        job, stored, target = self.job, opened.stored, change.target
        claimed = ledger.claim(
            self.dialect,
            self._connection,
            job.table,
            stored,
            job.run,
            job.on_changed_object,
            job.mode == "replace",
            partial(ledger.is_current, self._s3),
        )
        if claimed != "load":
            self._progress.finish(0, stored.size_bytes, passed_over=True)
            return ImportedObject(stored.url, skipped=True, changed=claimed == "changed")
        add_columns(self.dialect, self._connection, change, stored.url)
        tally = Tally(opened.file, target, job.count_by, self._progress)
        with heap_out_of_sight():
            put = self._put_rows(opened, target, tally)
        if put.read != put.loaded + put.quarantined_rows:
            raise RowsLost(stored.url, put.read, put.loaded, put.quarantined_rows)
        figures = put.loaded, tally.counts, put.quarantined_rows, put.quarantined_blocks
        ledger.settle(self.dialect, self._connection, job.table, stored, *figures)
        self._progress.finish(put.loaded, stored.size_bytes)
        return ImportedObject(
            stored.url,
            put.loaded,
            stored.size_bytes,
            dict(tally.counts),
            quarantined_rows=put.quarantined_rows,
            quarantined_blocks=put.quarantined_blocks,
        )

    def _put_rows(self, opened: OpenedObject, target: Target, tally: Tally) -> PutRows:
        job, stored = self.job, opened.stored
        if opened.salvaged:
            quarantine = Quarantine(
                self._s3, job.quarantine_url or "", job.table, stored, opened.writer, job.max_bad_blocks
            )
            sound = SoundRowsLoad(self.dialect, self._connection, target, quarantine, tally.add)
            loaded = sound.run(opened.salvaged, opened.writer, self._reader)
            return PutRows(sound.read, loaded, quarantine.rows, len(quarantine.offsets))
        if isinstance(self.dialect, RedshiftDialect | SnowflakeDialect):
            if job.count_by or self._reader:
                raise NotByCopy("rows are neither counted by a column nor resolved to a reader_schema")
            read = sum(block.records for block in opened.file.blocks())
            loaded = self.dialect.copy(self._connection, target, stored, job.copy_access or "")
            require_unchanged(self._s3, stored)
            return PutRows(read, loaded)
        refusal = arrow_refusal(self.dialect, self._connection, target)
        decoding = self._decoder.batches(opened.file, opened.writer, self._reader, target.columns, refusal)
        with closing(decoding) as batches:
            try:
                loaded = self.dialect.load(self._connection, target, tally.counted(batches))
            except UnstorableValue as error:
                where = (
                    f"in a row behind the first {tally.rows}" if error.row is None else f"row {tally.rows + error.row}"
                )
                problem = f"{error.problem} ({where} of {stored.url}, counted from 0)"
                raise UnstorableValue(error.column, problem) from error
        return PutRows(tally.rows, loaded)
