"""
Imports the records of a Kinesis stream into one table: from each shard's checkpoint on, each read in one transaction.

An import that is killed at any point leaves either nothing of a read or all of it, with the checkpoint behind it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from airflow_agari_provider.avro_import.errors import UnexpectedFailure, is_failure
from airflow_agari_provider.avro_import.failures import failures_recorded, record_failure
from airflow_agari_provider.avro_import.ledger_tables import create_import_tables
from airflow_agari_provider.avro_import.transactions import ImportTransactions
from airflow_agari_provider.databases.dialects import any_dialect_of
from airflow_agari_provider.databases.statements import transaction
from airflow_agari_provider.databases.warehouses import RedshiftDialect, SnowflakeDialect
from airflow_agari_provider.exceptions import UnimportableObject
from airflow_agari_provider.streams.checkpoints import Checkpoint, Checkpoints, MovedMeanwhile
from airflow_agari_provider.streams.entries import RecordReader
from airflow_agari_provider.streams.errors import (
    BadRecord,
    CheckpointExpired,
    NoStreams,
    RegistryFailed,
    ShardsFailed,
    ShardsFailedForNow,
)
from airflow_agari_provider.streams.gaps import Gap, gap
from airflow_agari_provider.streams.kinesis import (
    TRIM_HORIZON,
    KinesisStream,
    NoSuchPosition,
    Position,
    ShardRead,
    ShardReader,
    StreamRecord,
)
from airflow_agari_provider.streams.progress import StreamProgress
from airflow_agari_provider.streams.record_load import LoadedRecords, RecordLoad
from airflow_agari_provider.streams.record_quarantine import RecordQuarantine
from airflow_agari_provider.streams.registry import SchemaRegistry
from airflow_agari_provider.streams.shard_work import ShardWork, ShardWorks
from airflow_agari_provider.streams.stream_job import StreamJob

logger = logging.getLogger(__name__)

IDLE = 1.0  # seconds until a shard is read again that had nothing new, or that another importer is loading
LOOK_AGAIN = 10.0  # seconds; in a run that goes on, how often it looks for shards whose parents others have loaded
NOTED = timedelta(seconds=60)  # how often the checkpoint of a shard without records says that there are none


class StreamImport:
    """
    One run over the shards of a stream.

    :param connection: DB-API connection. From now on only the import may use it.
    :param s3: boto3 client of S3, for the quarantine.
    :param registry: see :class:`RecordReader`.
    :param placeholder: of a value in SQL, for a driver without a dialect of its own; None takes what the driver says.
    :raises UnknownDatabase: the connection is not one of a DB-API driver.
    :raises NoTransactions: the connection keeps what is rolled back.
    :raises MissingStream: there is no such stream.
    :raises NoStreams: the database loads objects only.
    """

    def __init__(
        self,
        connection: Any,
        kinesis: KinesisStream,
        s3: Any,
        settings: StreamJob,
        registry: SchemaRegistry | None = None,
        progress: StreamProgress | None = None,
        placeholder: str | None = None,
    ) -> None:
        job = settings.job
        self._connection, self._kinesis, self._settings = connection, kinesis, settings
        self._dialect = any_dialect_of(connection, placeholder)
        if isinstance(self._dialect, RedshiftDialect | SnowflakeDialect):
            raise NoStreams
        self._dialect.prepare(connection)
        self.facts = kinesis.facts()
        self._began, self._newest = kinesis.clock(), kinesis.now
        self._looked = self._began
        self.progress = progress or StreamProgress()
        self._checkpoints = Checkpoints(self._dialect, connection, job.table, self.facts.arn, job.run)
        self._transactions = ImportTransactions(self._dialect, connection, job)
        self._transactions = replace(self._transactions, partly_bad=(*self._transactions.partly_bad, BadRecord))
        quarantine = (
            RecordQuarantine(s3, job.quarantine_url, job.table, self.facts, job.max_bad_blocks)
            if job.quarantine_url
            else None
        )
        alone, reader = registry is not None, RecordReader(kinesis.stream, registry)
        loading = self._dialect, connection, job, self.facts, reader, alone, quarantine, self.progress
        self._load = RecordLoad(*loading)
        self._works = ShardWorks(kinesis, self.facts, settings, self._checkpoints)
        self.loaded = LoadedRecords()
        self.reads = 0
        self.gaps: list[Gap] = []
        self._reasons: list[str] = []
        self._curable = False

    @property
    def caught_up(self) -> bool:
        """Whether nothing was left in any shard of this run."""
        return self._works.caught_up

    @property
    def shards(self) -> int:
        return len(list(self._works))

    def close(self) -> None:
        with suppress(self._dialect.driver.Error):
            self._connection.close()

    def run(self) -> None:
        """
        Import until the newest record at the start, or until a limit is reached.

        A shard that fails does not stop the others.

        :raises ShardsFailed: at the end, if any shard failed; ShardsFailedForNow, if a retry may help.
        :raises MissingTable: the table does not exist, and ``create_table`` is not set.
        """
        create_import_tables(self._dialect, self._connection)
        self._checkpoints.create()
        self._look()
        for work in self._works:
            listed = work.shard in self._works.listed
            if found := gap(work.checkpoint, self.facts, listed, self._kinesis.now):
                self._met(work, found)
            elif listed and work.checkpoint.stream_created_at != self.facts.created_at.isoformat():
                self._reset(work)  # its shard of the old stream was loaded to its end
        while not self._over():
            if self._settings.until != "latest" and self._kinesis.clock() - self._looked >= LOOK_AGAIN:
                self._look()
            if ready := self._works.next():
                self._read(ready)
            elif self._settings.until == "latest":
                break
            else:
                self._kinesis.sleep(IDLE)
        if self._reasons:
            failure = ShardsFailedForNow if self._curable else ShardsFailed
            raise failure(self._kinesis.stream, self._reasons, self.loaded.rows)

    def _look(self) -> None:
        self._transactions.tried(lambda careful: self._works.look())
        self._looked = self._kinesis.clock()

    def _over(self) -> bool:
        settings, seconds = self._settings, self._kinesis.clock() - self._began
        ends = [settings.max_seconds, None if settings.until == "latest" else settings.until]
        return (
            any(end is not None and seconds >= end for end in ends)
            or settings.records_left(self.loaded.records) == 0
            or (settings.max_bytes is not None and self.loaded.size_bytes >= settings.max_bytes)
        )

    def _read(self, work: ShardWork) -> None:
        """Read a shard once, and load what came."""
        url, run = self.facts.shard_url(work.shard), self._settings.job.run
        where = f"kinesis://{self.facts.name}", work.shard
        reader = work.reader = work.reader or ShardReader(self._kinesis, work.shard, work.checkpoint.position)
        reader.ready_at = max(reader.ready_at, work.ready_at)
        try:
            with failures_recorded(self._dialect, self._connection, *where, run, url):
                read = reader.read(self._settings.records_left(self.loaded.records))
                work.ready_at = reader.ready_at
                self._take(work, read)
        except MovedMeanwhile as error:
            self._go_on_from_newer(work, error)
        except NoSuchPosition as error:
            self._look()
            self._met(work, Gap(work.shard, work.checkpoint.covered_until, self._kinesis.now, error.cause), error)
        except (UnimportableObject, UnexpectedFailure, RegistryFailed) as error:
            self._load.forget_changes()
            self._fail(work, error)

    def _take(self, work: ShardWork, read: ShardRead) -> None:
        """Load a read, in one transaction or in several if it is very large, and decide whether to go on."""
        self.reads += 1
        records: Sequence[StreamRecord] = read.records
        while records:
            taken = self._transactions.tried(partial(self._loaded, work, read, records))
            records = records[taken:]
        covered = work.checkpoint.covered_until
        if not read.records and (read.ended or covered is None or read.covered_until - covered >= NOTED):
            position = work.checkpoint.position
            self._moved(work, lambda: self._move(work, position, read.ended, read.covered_until))
        self.progress.at(work.shard, read.behind)
        work.caught_up = read.caught_up
        if read.ended:
            self._look()  # its children can be read now
        elif self._settings.until == "latest":
            work.done = read.caught_up or (bool(read.records) and read.records[-1].arrived_at >= self._newest)
        elif read.caught_up:
            work.ready_at = self._kinesis.clock() + IDLE

    def _loaded(self, work: ShardWork, read: ShardRead, records: Sequence[StreamRecord], careful: bool) -> int:
        """Load records in a transaction of their own, and return how many it took."""
        prepared = self._load.prepared(work.shard, records, careful)
        taken, all_taken = records[: prepared.records], prepared.records == len(records)
        covered = read.covered_until if all_taken else taken[-1].arrived_at
        position = replace(work.checkpoint.position, sequence_number=taken[-1].sequence_number)
        with (
            self._transactions.refusals(self.facts.shard_url(work.shard)),
            transaction(self._dialect, self._connection),
        ):
            moved = self._move(work, position, read.ended and all_taken, covered)
            done = self._load.put(prepared, careful)
            self._checkpoints.settle(moved, done.rows, done.quarantined_rows)
        work.checkpoint = moved
        done.size_bytes = sum(len(record.data) for record in taken)
        self.loaded.add(done)
        self.progress.finish(done.rows, done.size_bytes)
        return prepared.records

    def _move(self, work: ShardWork, position: Position, ended: bool, covered_until: datetime | None) -> Checkpoint:
        return self._checkpoints.move(work.checkpoint, position, ended, covered_until)

    def _moved(self, work: ShardWork, change: Any) -> None:
        """Change a checkpoint in a transaction without rows, unless another importer moves it."""

        def attempt(careful: bool) -> Checkpoint:
            with transaction(self._dialect, self._connection):
                moved: Checkpoint = change()
                return moved

        try:
            work.checkpoint = self._transactions.tried(attempt)
        except MovedMeanwhile as error:
            self._go_on_from_newer(work, error)

    def _go_on_from_newer(self, work: ShardWork, error: MovedMeanwhile) -> None:
        logger.info("%s", error)
        work.reader, work.ready_at = None, self._kinesis.clock() + IDLE
        self._look()

    def _reset(self, work: ShardWork) -> None:
        created = self.facts.created_at.isoformat()
        self._moved(work, lambda: self._checkpoints.reset(work.checkpoint, created))
        work.reader = None

    def _met(self, work: ShardWork, found: Gap, unknown: NoSuchPosition | None = None) -> None:
        """
        Fail because of a gap, or go on behind it.

        :param unknown: Kinesis does not know the checkpoint's sequence number.
        """
        error = CheckpointExpired(self.facts.shard_url(work.shard), str(found))
        run, where = self._settings.job.run, f"kinesis://{self.facts.name}"
        record_failure(self._dialect, self._connection, where, work.shard, str(error), run)
        oldest = Position(TRIM_HORIZON)
        if self._settings.on_expired == "fail" or (unknown and work.checkpoint.position == oldest):
            self._fail(work, error)
            return
        logger.warning("%s: %s. Going on, as on_expired='continue' asks.", self.facts.shard_url(work.shard), found)
        self.gaps.append(found)
        work.reader = None
        if work.checkpoint.stream_created_at != self.facts.created_at.isoformat():
            self._reset(work)
        if work.shard not in self._works.listed:
            self._moved(work, lambda: self._move(work, work.checkpoint.position, True, found.until))
        elif unknown:
            self._moved(work, lambda: self._move(work, oldest, False, None))

    def _fail(self, work: ShardWork, error: Exception) -> None:
        assert is_failure(error)
        url, text = self.facts.shard_url(work.shard), str(error)
        work.done, work.reader = True, None
        self._curable |= not isinstance(error, UnimportableObject)
        self._reasons.append(text if url in text else f"{url}: {text}")
        logger.error("Shard failed: %s", self._reasons[-1])
