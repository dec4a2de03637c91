"""Errors of streams: what of a record, a registry or a checkpoint cannot be used."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_agari_provider.avro_import.errors import SHOWN_FAILURES
from airflow_agari_provider.avro_import.ledger_tables import FAILURES
from airflow_agari_provider.exceptions import AgariError, UnimportableObject, cut


class BadPayload(UnimportableObject):
    """
    A record whose bytes are not what its format says.

    :param problem: what is wrong, as a clause.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


class UnknownSchema(UnimportableObject):
    """
    A record names a schema that its registry does not have.

    :param registry: name of the registry.
    :param schema_id: as the record's header has it.
    :param stream: that the record is in.
    """

    def __init__(self, registry: str, schema_id: str, stream: str) -> None:
        super().__init__(registry, schema_id, stream)
        self.registry, self.schema_id, self.stream = registry, schema_id, stream

    def __str__(self) -> str:
        return (
            f"A record of stream {self.stream} was written with schema {self.schema_id}, which {self.registry} does "
            "not have. Register the schema there, or correct registry=; if the record is damaged, have it quarantined."
        )


class RegistryFailed(AgariError):
    """
    A registry did not answer, or with something that is not a schema. It may do so later.

    :param registry: name of the registry.
    :param problem: what happened, as a clause.
    """

    def __init__(self, registry: str, problem: str) -> None:
        super().__init__(registry, problem)
        self.registry, self.problem = registry, problem

    def __str__(self) -> str:
        return f"{self.registry}: {self.problem}."


class IncompatibleSchema(AgariError):
    """
    A schema that is not registered, because it does not fit to those before it.

    :param registry: name of the registry.
    :param subject: name under which it was to be registered.
    :param problem: why it does not fit.
    """

    def __init__(self, registry: str, subject: str, problem: str) -> None:
        super().__init__(registry, subject, problem)
        self.registry, self.subject, self.problem = registry, subject, problem

    def __str__(self) -> str:
        return (
            f"{self.registry} did not register the schema as {self.subject!r}: {cut(self.problem, 1000)}. Give new "
            "fields a default, and do not change the types of old ones."
        )


class MissingStream(AgariError):
    """
    There is no such stream.

    :param stream: its name or ARN.
    """

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.stream = stream

    def __str__(self) -> str:
        return (
            f"There is no stream {self.stream} in the region and account of the connection. Correct stream=, "
            "region_name= or the connection."
        )


class NoStreams(AgariError):
    """A stream cannot be loaded into this database."""

    def __str__(self) -> str:
        return (
            "Redshift and Snowflake load objects of S3, not the records of a stream. Have Firehose write the stream to "
            "S3, and import that with AvroS3ImportOperator."
        )


class BadRecord(UnimportableObject):
    """
    A record of a stream that cannot be decoded.

    :param url: of its shard.
    :param sequence_number: of the record.
    :param reason: why, as a clause.
    """

    def __init__(self, url: str, sequence_number: str, reason: str) -> None:
        super().__init__(url, sequence_number, reason)
        self.url, self.sequence_number, self.reason = url, sequence_number, reason

    def __str__(self) -> str:
        return (
            f"{self.url}: record {self.sequence_number} cannot be decoded: {self.reason}. Nothing after the shard's "
            "checkpoint was loaded. on_bad_record='quarantine' puts such records on S3 and loads the others."
        )


class TooManyBadRecords(UnimportableObject):
    """
    More records were bad than a run may quarantine.

    :param url: of the shard of the last one.
    :param max_bad_records: how many were allowed.
    :param last_reason: why the record beyond the limit is bad.
    """

    def __init__(self, url: str, max_bad_records: int, last_reason: str) -> None:
        super().__init__(url, max_bad_records, last_reason)
        self.url, self.max_bad_records, self.last_reason = url, max_bad_records, last_reason

    def __str__(self) -> str:
        return (
            f"{self.url}: more than max_bad_records={self.max_bad_records} records of this run are bad, so the shard "
            "stays at its checkpoint. Correct the producer or registry=, or raise max_bad_records. Reason of the last "
            f"one: {self.last_reason}"
        )


class CheckpointExpired(UnimportableObject):
    """
    Records after a checkpoint are no longer in the stream.

    :param url: of the shard.
    :param gone: which ones, as a clause.
    """

    def __init__(self, url: str, gone: str) -> None:
        super().__init__(url, gone)
        self.url, self.gone = url, gone

    def __str__(self) -> str:
        return (
            f"{self.url}: {self.gone}. Load what is missing from another source if there is one. Then let the import "
            "go on with on_expired='continue', which loads what the shard still has and tells the gap in its result; "
            "a longer retention of the stream avoids the next gap."
        )


class _SomeShardsFailed(AgariError):
    """
    Some shards could not be read to their end; what was loaded of them and of the others is committed.

    :param stream: name or ARN.
    :param reasons: error text of each shard.
    :param rows: how many rows were loaded.
    """

    def __init__(self, stream: str, reasons: Sequence[str], rows: int) -> None:
        super().__init__(stream, list(reasons), rows)
        self.stream, self.reasons, self.rows = stream, list(reasons), rows

    def __str__(self) -> str:
        count, shown = len(self.reasons), self.reasons[:SHOWN_FAILURES]
        more = [f"... and {count - len(shown)} more; see table {FAILURES}"] if count > len(shown) else []
        head = f"{count} shard(s) of {self.stream} failed; {self.rows} rows were loaded and stay. The reasons:"
        return "\n".join([head, *shown, *more])


class ShardsFailed(_SomeShardsFailed, UnimportableObject):
    """A retry helps none of these shards."""


class ShardsFailedForNow(_SomeShardsFailed):
    """A retry may help some of these shards."""
