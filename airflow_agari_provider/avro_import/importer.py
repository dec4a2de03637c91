"""
Imports one Avro object into one table, in one transaction: its claim in the ledger, its rows, and their counts.

An import that is killed at any point leaves either nothing of the object or all of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airflow_agari_provider.avro_import.errors import (
    ObjectBusy,
    ObjectsFailed,
    ObjectsFailedForNow,
    UnexpectedFailure,
)
from airflow_agari_provider.avro_import.failures import failures_recorded, record_error
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.joint_load import JointLoad
from airflow_agari_provider.avro_import.ledger import TableLedger
from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
from airflow_agari_provider.avro_import.object_load import ObjectLoad
from airflow_agari_provider.avro_import.outcome import ImportedObject, reason
from airflow_agari_provider.avro_import.progress import ImportProgress
from airflow_agari_provider.avro_import.quarantine import in_quarantine
from airflow_agari_provider.avro_import.target_table import TargetTable
from airflow_agari_provider.avro_import.transactions import ImportTransactions
from airflow_agari_provider.databases.dialects import any_dialect_of
from airflow_agari_provider.databases.statements import execute, quoted_table, reading
from airflow_agari_provider.exceptions import UnimportableObject, may_pass
from airflow_agari_provider.s3.errors import MissingObject, ObjectOverwritten
from airflow_agari_provider.s3.objects import FoundObject

logger = logging.getLogger(__name__)


@dataclass
class _Run:
    """What happened to a list of objects so far."""

    imported: list[ImportedObject] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    busy: list[FoundObject] = field(default_factory=list)
    curable: bool = False


class Importer:
    """
    Imports objects into the table of a job.

    :param connection: DB-API connection. From now on only the importer may use it.
    :param s3: boto3 client of S3.
    :param placeholder: of a value in SQL, for a driver without a dialect of its own; None takes what the driver says.
    :raises UnknownDatabase: the connection is not one of a DB-API driver.
    :raises NoTransactions: the connection keeps what is rolled back.
    """

    def __init__(
        self,
        connection: Any,
        s3: Any,
        job: ImportJob,
        progress: ImportProgress | None = None,
        placeholder: str | None = None,
    ) -> None:
        self.job = job
        self.dialect = any_dialect_of(connection, placeholder)
        self._connection = connection
        self._progress = progress or ImportProgress()
        self._ledger = TableLedger(self.dialect, connection, job.table, job.run)
        self._table = TargetTable(self.dialect, connection, job)
        self._transactions = ImportTransactions(self.dialect, connection, job)
        self._load = ObjectLoad(self.dialect, connection, s3, job, self._ledger, self._progress)
        parts = job, self._ledger, self._table, self._transactions, self._load
        self._joint = JointLoad(self.dialect, connection, s3, *parts)
        self.dialect.prepare(connection)
        create_import_tables(self.dialect, connection)

    @property
    def objects_at_once(self) -> int:
        """How many small objects may share a transaction; 1: none."""
        return self.job.objects_per_transaction if self._joint.possible else 1

    def close(self) -> None:
        self._joint.close()
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
        :param etag: of the content, if known. With it, an object that the table has is skipped without asking S3.
        :param size_bytes: of the content, if known; for the progress in the log.
        :param wait: wait for another importer that is loading the same object, because that importer may fail.
        :raises ObjectBusy: another importer is loading the object, and ``wait`` is not set.
        :raises UnimportableObject: nothing was loaded, and a retry would not help; the reason is recorded.
        :raises UnexpectedFailure: nothing was loaded; the reason is recorded with its traceback.
        :raises MissingTable: the table does not exist, and ``create_table`` is not set.
        """
        if etag and self._is_loaded(bucket, key, etag):
            self._progress.finish(0, size_bytes, passed_over=True)
            return ImportedObject(f"s3://{bucket}/{key}", skipped=True)
        with self._failures_recorded(bucket, key):
            try:
                return self._transactions.tried(lambda careful: self._import(bucket, key, version_id, careful, wait))
            except MissingObject as error:
                return self._missing(error)

    def _missing(self, error: MissingObject) -> ImportedObject:
        """Return the outcome for an object that is gone, unless that is a failure."""
        if self.job.on_missing_object == "fail":
            raise error
        logger.warning("%s is gone, and is skipped", error.url)
        self._progress.finish(0, 0, passed_over=True)
        return ImportedObject(error.url, skipped=True, missing=True)

    def _import(self, bucket: str, key: str, version_id: str | None, careful: bool, wait: bool) -> ImportedObject:
        with self._load.opened(bucket, key, version_id, careful) as opened:
            stored = opened.stored
            skipped = partial(self._is_loaded, bucket, key, stored.etag)
            change = self._table.prepared(opened.target, stored.url, skipped)
            with self._transactions.of_object(stored.url, wait):
                return self._load.run(opened, change)

    def _is_loaded(self, bucket: str, key: str, etag: str) -> bool:
        with reading(self._connection):
            return self._ledger.is_loaded(bucket, key, etag)

    def import_objects(self, found: Iterable[FoundObject]) -> list[ImportedObject]:
        """
        Import objects, small ones together. An object that cannot be imported does not stop the rest.

        Objects that another importer is loading come last, so that several importers can share one list.

        :raises ObjectsFailed: at the end, if any object could not be imported; ObjectsFailedForNow, if a retry may
            help.
        """
        run = _Run()
        for objects, outcomes in self._together(self._expected(found)):
            for one in objects:
                if one in outcomes:
                    run.imported.append(outcomes[one])
                else:
                    self._import_alone(one, run, wait=False)
        for one in run.busy:  # now wait for the objects that other importers were loading
            self._import_alone(one, run, wait=True)
        if run.reasons:
            raise (ObjectsFailedForNow if run.curable else ObjectsFailed)(run.reasons, len(run.imported))
        return run.imported

    def import_together(self, found: Sequence[FoundObject]) -> dict[FoundObject, ImportedObject]:
        """
        Import those objects that can share a transaction. :meth:`import_object` tells what is with the others.

        :param found: of different keys.
        """
        return {one: outcome for _, outcomes in self._together(found) for one, outcome in outcomes.items()}

    def _together(
        self, found: Sequence[FoundObject]
    ) -> Iterator[tuple[Sequence[FoundObject], dict[FoundObject, ImportedObject]]]:
        for received in self._joint.received(found):
            outcomes = self._joint.load(received)
            for one, outcome in outcomes.items():
                self._progress.finish(outcome.rows, one.size_bytes, outcome.skipped)
            yield received.objects, outcomes

    def _import_alone(self, one: FoundObject, run: _Run, wait: bool) -> None:
        try:
            run.imported.append(self.import_object(one.bucket, one.key, None, one.etag, one.size_bytes, wait))
        except ObjectBusy:
            run.busy.append(one)
        except Exception as error:
            if self._concerns_all(one, error):
                raise
            run.curable |= not isinstance(error, UnimportableObject)
            run.reasons.append(reason(f"s3://{one.bucket}/{one.key}", error))
            logger.error("Not imported: %s", run.reasons[-1])

    def _concerns_all(self, one: FoundObject, error: Exception) -> bool:
        """Whether an error of one object would meet the others too; if it would not, it is recorded."""
        from botocore.exceptions import BotoCoreError, ClientError

        if isinstance(error, BotoCoreError | ClientError):
            if may_pass(error):
                return True
        elif isinstance(error, self.dialect.driver.Error):
            if self.dialect.fault(error) != "conflict":
                return True
        else:  # import_object has recorded it
            return not isinstance(error, UnimportableObject | ObjectOverwritten | UnexpectedFailure)
        self.record_failure(one.bucket, one.key, error)
        return False

    def replace_window(self, found: Iterable[FoundObject]) -> list[ImportedObject]:
        """
        Delete the rows of ``replace_where`` and import all objects, in one transaction.

        :raises MissingTable: the table does not exist, and ``create_table`` is not set.
        :raises UnimportableObject: the table is unchanged, and a retry would not help.
        """
        found = self._expected(found)
        if not found and not self._table.there():
            return []
        for bucket, key, *_ in found:
            # Before the transaction, because databases like MySQL commit when a table is changed.
            try:
                with self._failures_recorded(bucket, key), self._load.opened(bucket, key) as opened:
                    self._table.prepared(opened.target, opened.stored.url)
            except MissingObject as error:
                self._missing(error)
            else:
                if self.job.schema_change != "add_columns":
                    break
        return self._transactions.tried(lambda careful: self._replace_window(found, careful))

    def _replace_window(self, found: Sequence[FoundObject], careful: bool) -> list[ImportedObject]:
        imported: list[ImportedObject] = []
        current: FoundObject | None = None  # the object that is to blame for an error
        self._progress.restart()
        try:
            with self._window_alone(found):
                table = quoted_table(self.dialect, self.job.table)
                deleted = execute(self._connection, f"DELETE FROM {table} WHERE {self.job.replace_where}")  # noqa: S608
                logger.info("Deleted the %s rows that replace_where selects", deleted)
                for current in found:
                    imported.append(self._loaded_into_window(current, careful))
        except Exception as error:
            if current is None or (not careful and self._transactions.quarantines(error)):
                raise
            url = f"s3://{current.bucket}/{current.key}"
            logger.error("Nothing imported, the table is unchanged: %s", reason(url, error))
            with self._failures_recorded(current.bucket, current.key):
                raise
        return imported

    def _loaded_into_window(self, one: FoundObject, careful: bool) -> ImportedObject:
        try:
            with (
                self._load.opened(one.bucket, one.key, None, careful) as opened,
                self._transactions.refusals(opened.stored.url),
            ):
                return self._load.run(opened, self._table.change(opened.target, opened.stored.url))
        except MissingObject as error:
            return self._missing(error)

    @contextmanager
    def _window_alone(self, found: Iterable[FoundObject]) -> Iterator[None]:
        """
        Open a transaction in which no other importer replaces rows of the table or loads these objects.

        All locks are taken before the DELETE, because it sees only what other importers had committed when it began.
        """
        with reading(self._connection):
            name, *_ = self._ledger.table_names
        with self._transactions.of_replacement(name):
            for bucket, key, *_ in sorted(found):  # in the same order everywhere, so that importers do not deadlock
                self._ledger.hold(bucket, key)
            yield

    def _expected(self, found: Iterable[FoundObject]) -> list[FoundObject]:
        found = [one for one in found if not in_quarantine(self.job.quarantine_url, one.bucket, one.key)]
        self._progress.expect(len(found), sum(one.size_bytes for one in found))
        return found

    def record_failure(self, bucket: str, key: str, error: Exception) -> None:
        """Record why an object, or a message that names no object, could not be imported."""
        record_error(self.dialect, self._connection, bucket, key, error, self.job.run)

    def _failures_recorded(self, bucket: str, key: str) -> AbstractContextManager[None]:
        return failures_recorded(self.dialect, self._connection, bucket, key, self.job.run, f"s3://{bucket}/{key}")
