"""Loads the records of one read of a shard into the table, inside the transaction that moves the shard's checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from airflow_agari_provider.avro.damaged_file import SalvagedFile
from airflow_agari_provider.avro.records import heap_out_of_sight
from airflow_agari_provider.avro_import.block_load import BlockLoad
from airflow_agari_provider.avro_import.careful_load import SoundRowsLoad
from airflow_agari_provider.avro_import.errors import RowsLost
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.progress import ImportProgress
from airflow_agari_provider.avro_import.row_counts import RowCounts
from airflow_agari_provider.avro_import.schema_change import TableChange, add_columns
from airflow_agari_provider.avro_import.target_table import TargetTable
from airflow_agari_provider.databases.base import Dialect, Target
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.exceptions import BadAvro, UnimportableObject
from airflow_agari_provider.streams.entries import KNOWN_SCHEMAS, Entry, RecordReader
from airflow_agari_provider.streams.errors import BadRecord
from airflow_agari_provider.streams.joined_records import NotInItsPlace, RecordSchema
from airflow_agari_provider.streams.kinesis import StreamFacts, StreamRecord
from airflow_agari_provider.streams.record_quarantine import RecordQuarantine, RefusedRows

MOST_BYTES = 64 * 1024 * 1024  # of the rows of one transaction; compressed records may hold far more than they take


@dataclass
class LoadedRecords:
    """
    What became of records.

    :param rows: in the table, as the database counts them.
    :param quarantined_rows: rows that were left out; of a record that cannot be read at all, one.
    """

    records: int = 0
    rows: int = 0
    quarantined_records: int = 0
    quarantined_rows: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    uncounted_rows: int = 0
    size_bytes: int = 0

    def add(self, other: LoadedRecords) -> None:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


@dataclass(frozen=True)
class Group:
    """
    Records of one schema, which are loaded together.

    :param change: of the table, before they are loaded.
    """

    schema: RecordSchema
    entries: Sequence[Entry]
    change: TableChange


@dataclass(frozen=True)
class Prepared:
    """
    Records of one shard that are ready to be loaded.

    :param records: how many; the rest is to be loaded after them.
    :param bad: records that are not what they should be, and why.
    """

    shard: str
    records: int
    groups: Sequence[Group]
    bad: Sequence[tuple[StreamRecord, str]]


class RecordLoad:
    """
    Loads records by the rules of the file import.

    :param connection: DB-API connection.
    :param reader: of the records' headers.
    :param alone: each record is one row; see :class:`RecordSchema`.
    :param quarantine: where bad records go; None: they are errors.
    """

    def __init__(
        self,
        dialect: Dialect,
        connection: Any,
        job: ImportJob,
        stream: StreamFacts,
        reader: RecordReader,
        alone: bool,
        quarantine: RecordQuarantine | None,
        progress: ImportProgress,
    ) -> None:
        self._dialect, self._connection, self._job, self._stream = dialect, connection, job, stream
        self._reader, self._alone, self._quarantine, self._progress = reader, alone, quarantine, progress
        self._blocks = BlockLoad(dialect, connection, job)
        self._table = TargetTable(dialect, connection, job)
        self._schemas: dict[Any, RecordSchema] = {}
        self._changes: dict[Any, TableChange] = {}

    def prepared(self, shard: str, records: Sequence[StreamRecord], careful: bool) -> Prepared:
        """
        Before the transaction: read the records' headers, and create or change the table as they need it.

        :param careful: leave out what is bad.
        :raises BadRecord: a record is not what it should be, and ``careful`` is not set.
        :raises MissingTable: the table does not exist, and ``create_table`` is not set.
        """
        entries: list[Entry] = []
        bad: list[tuple[StreamRecord, str]] = []
        size = 0
        for record in records:
            if size >= MOST_BYTES:
                break
            try:
                entries.append(self._reader.entry(record))
                size += entries[-1].size_bytes
            except UnimportableObject as error:
                if not careful:
                    raise BadRecord(self._stream.shard_url(shard), record.sequence_number, str(error)) from error
                bad.append((record, str(error)))
        groups = [self._group(shard, schema_id, of_schema) for schema_id, of_schema in self._by_schema(entries)]
        return Prepared(shard, len(entries) + len(bad), groups, bad)

    def _by_schema(self, entries: Sequence[Entry]) -> Iterable[tuple[Any, list[Entry]]]:
        """With ``upsert``, later records replace earlier ones, so that only those in a row are loaded together."""
        if self._job.mode == "upsert":
            return [(schema_id, list(part)) for schema_id, part in groupby(entries, lambda entry: entry.schema_id)]
        found: dict[Any, list[Entry]] = {}
        for entry in entries:
            found.setdefault(entry.schema_id, []).append(entry)
        return found.items()

    def _group(self, shard: str, schema_id: Any, entries: list[Entry]) -> Group:
        writer, source = entries[0].writer, self._stream.shard_url(shard)
        schema = self._schemas.get(schema_id)
        if schema is None or schema.writer is not writer:  # the reader of the headers has forgotten it meanwhile
            schema = RecordSchema(self._job, self._blocks.reader, writer, source, self._alone)
            self._blocks.require_names(schema.read.target, source)
            if len(self._schemas) >= KNOWN_SCHEMAS:
                self._schemas.clear()
            self._schemas[schema_id] = schema
            self._changes.pop(schema_id, None)
        change = self._changes.get(schema_id)
        if change is None:
            change = self._table.prepared(schema.read.target, source)
            if not change.added:  # else it is to be done in the transaction, which may be rolled back
                self._changes[schema_id] = change
        return Group(schema, entries, change)

    def put(self, prepared: Prepared, careful: bool) -> LoadedRecords:
        """
        In the transaction: load the records.

        :raises BadRecord: a record cannot be decoded, and ``careful`` is not set.
        :raises TooManyBadRecords: there are more bad records than allowed.
        :raises RowsLost: the database counted a different number of rows than it was given.
        """
        done = LoadedRecords(prepared.records)
        for record, reason in prepared.bad:
            assert self._quarantine
            self._quarantine.add(prepared.shard, record, reason)
            done.quarantined_records += 1
            done.quarantined_rows += 1
        for group in prepared.groups:
            add_columns(self._dialect, self._connection, group.change, self._stream.shard_url(prepared.shard))
            with heap_out_of_sight():
                (self._put_sound if careful else self._put_all)(prepared.shard, group, done)
        return done

    def forget_changes(self) -> None:
        """Look at the table again, because what was known of it may have been wrong."""
        self._changes.clear()

    def _put_all(self, shard: str, group: Group, done: LoadedRecords) -> None:
        schema, entries, target = group.schema, group.entries, group.change.target
        file = schema.file(entries)
        counted = self._counted(file, target)
        try:
            with self._blocks.decoded(file, schema.marked_read, target, schema.mark_columns) as batches:
                unmarked = schema.unmarked(batches, target.columns)
                loaded = self._dialect.load(self._connection, target, counted.passing(unmarked))
        except (NotInItsPlace, BadAvro) as error:
            if bad := self._first_bad(shard, group):
                raise bad from error
            raise
        except UnstorableValue as error:
            row = None if error.row is None else counted.rows + error.row
            raise UnstorableValue(error.column, f"{error.problem} ({self._where(shard, entries, row)})") from error
        self._count(shard, counted, entries, loaded, 0, done)

    def _put_sound(self, shard: str, group: Group, done: LoadedRecords) -> None:
        """Load the records that can be decoded and that the database takes; the others go into quarantine."""
        assert self._quarantine
        schema, sound = group.schema, []
        for entry in group.entries:
            if reason := schema.why_bad(entry):
                self._quarantine.add(shard, entry.record, reason)
                done.quarantined_records += 1
                done.quarantined_rows += entry.rows
            else:
                sound.append(entry)
        joined = schema.joined(sound)
        file, refused = SalvagedFile(joined.data, "the stream"), RefusedRows(self._quarantine, self._stream, shard)
        refused.entries = joined.entries
        counted = self._counted(file.file, group.change.target)
        load = SoundRowsLoad(self._dialect, self._connection, group.change.target, refused, counted.add, self._job.run)
        loaded = load.run(file, *schema.read.read_by)
        done.quarantined_records += refused.records
        done.quarantined_rows += refused.rows
        self._count(shard, counted, sound, loaded, refused.rows, done)

    def _counted(self, file: Any, target: Target) -> RowCounts:
        return RowCounts(file, target, self._job.count_by, self._blocks.values_counted, self._progress)

    def _count(
        self, shard: str, counted: RowCounts, entries: Sequence[Entry], loaded: int, refused: int, done: LoadedRecords
    ) -> None:
        if (rows := sum(entry.rows for entry in entries)) != loaded + refused:
            raise RowsLost(self._stream.shard_url(shard), rows, loaded, refused)
        done.rows += loaded
        done.counts.update(counted.counts)
        done.uncounted_rows += counted.uncounted

    def _first_bad(self, shard: str, group: Group) -> BadRecord | None:
        for entry in group.entries:
            if reason := group.schema.why_bad(entry):
                return BadRecord(self._stream.shard_url(shard), entry.record.sequence_number, reason)
        return None

    def _where(self, shard: str, entries: Sequence[Entry], row: int | None) -> str:
        numbers = [entry.record.sequence_number for entry in entries for _ in range(entry.rows)]
        url = self._stream.shard_url(shard)
        if row is None or row >= len(numbers):
            return f"a record of {url} from {numbers[0]} to {numbers[-1]}"
        return f"record {numbers[row]} of {url}"
