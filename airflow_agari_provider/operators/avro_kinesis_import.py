"""Load the Avro records of a Kinesis stream into a database table, each record exactly once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, get_args

from airflow_agari_provider.airflow_compat import BaseHook, BaseOperator
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.avro.columns import BytesInJson
from airflow_agari_provider.avro.decoders import ArrowUnusable, Decoder
from airflow_agari_provider.avro.unions import Unions
from airflow_agari_provider.avro_import.job import MAX_COUNTS, ImportJob
from airflow_agari_provider.avro_import.schema_change import SchemaChange
from airflow_agari_provider.databases.dialects import UnknownDatabase
from airflow_agari_provider.databases.errors import MissingTable, NoUniqueKey, OtherUniqueKey
from airflow_agari_provider.databases.generic import NoTransactions
from airflow_agari_provider.exceptions import UnimportableObject, limit, number, require_one_of, whole_number
from airflow_agari_provider.hooks.aws_clients import aws_session
from airflow_agari_provider.operators.avro_s3_import_lineage import import_lineage
from airflow_agari_provider.operators.registry_access import ConnectionAccess
from airflow_agari_provider.streams.checkpoints import UncountedRows
from airflow_agari_provider.streams.confluent_registry import ConfluentRegistry
from airflow_agari_provider.streams.errors import MissingStream, NoStreams
from airflow_agari_provider.streams.glue_registry import GlueRegistry
from airflow_agari_provider.streams.kinesis import KinesisStream, region_of
from airflow_agari_provider.streams.outcome import log_outcome, summary
from airflow_agari_provider.streams.schema_folder import S3SchemaFolder
from airflow_agari_provider.streams.stream_import import StreamImport
from airflow_agari_provider.streams.stream_job import MODES, OnBadRecord, OnExpired, StreamJob, start_of, until_of

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_agari_provider.airflow_compat import Context
    from airflow_agari_provider.streams.registry import RegistryPlace

__all__ = ["AvroKinesisImportOperator", "ConfluentRegistry", "GlueRegistry", "S3SchemaFolder"]

_FINAL = (
    UnimportableObject, MissingTable, NoUniqueKey, OtherUniqueKey, UnknownDatabase, NoTransactions, ArrowUnusable,
    MissingStream, NoStreams, UncountedRows,
)  # fmt: skip


class AvroKinesisImportOperator(BaseOperator):
    """
    Load the Avro records of a Kinesis stream into a table, each exactly once.

    One run loads what has arrived since the last one: of each shard from its checkpoint in the table
    ``agari_stream_checkpoints`` to the newest record at the start. Checkpoint and rows are committed in one
    transaction: a retry, a kill or a second importer neither repeats nor loses a row. (What a producer sends twice are
    two records; only ``upsert`` tells them apart.) A shard that was split or merged is loaded before its children.

    Returns what this run loaded: ``{"shards", "reads", "records", "rows", "quarantined_records", "quarantined_rows",
    "bytes", "counts", "uncounted_rows", "behind_seconds", "caught_up", "gaps", "complete"}``. ``behind_seconds``:
    how far the last reads were behind the newest record. ``caught_up`` is false if the next run finds more;
    ``complete`` is false if records were quarantined, or are gone (``gaps``).

    :param table: table to load into, as ``table`` or ``schema.table``, in upper and lower case as in the database.
    :param sql_conn_id: connection to PostgreSQL, MySQL, MariaDB or SQLite; or to any other database whose hook is a
        ``DbApiHook`` and that has transactions; not to Redshift and Snowflake.
    :param stream: name or ARN of the stream. An ARN says in which region it is; a name is looked up in
        ``region_name``.
    :param registry: where the records' schemas are: ``GlueRegistry(...)``, ``ConfluentRegistry(...)`` or
        ``S3SchemaFolder(...)``. None: each record is an Avro file with its own schema.
    :param hook_params: arguments for the hook of ``sql_conn_id``.
    :param mode: ``append`` adds the rows; ``upsert`` replaces rows that have the same ``key_columns``, and the last
        record of a shard wins.
    :param key_columns: with ``upsert``; the table needs a primary or unique key of these columns.
    :param columns: fields to load, or ``{field: column}``; None loads all under their own names. ``geo.city`` is one
        within the record ``geo``, ``geo.*`` stands for all its fields.
    :param create_table: if the table does not exist, create it from the schema of the first record.
    :param schema_change: what to do about fields that the table has no column for: ``fail``; ``ignore``: do not load
        them; ``add_columns``: add a nullable column to the table for each.
    :param count_by: column; ``counts`` holds the number of rows for each of its values.
    :param max_counts: how many values of ``count_by`` are counted; rows of further ones are only in
        ``uncounted_rows``.
    :param start: where the table's first import of the stream begins: ``TRIM_HORIZON``, at the oldest record;
        ``LATEST``, at what arrives from then on; or a time, as a datetime or ISO text with a zone. Later runs go on
        where the last one ended.
    :param until: ``latest``: load what has arrived when the run begins; or a number of seconds: go on for so long.
    :param on_expired: what to do if records after a checkpoint are no longer in the stream: ``fail`` with what is gone;
        ``continue``: load what is there, and tell the ``gaps``.
    :param on_bad_record: what to do about records that cannot be decoded, and rows that the database refuses. ``fail``:
        their shard stays where it is; ``quarantine``: write them below ``quarantine_url``, and load the rest.
    :param quarantine_url: S3 folder.
    :param max_bad_records: how many records of a run may be bad; with more, their shard fails. None: no limit.
    :param max_records: stop after this many records; None: no limit.
    :param max_bytes: stop after this many bytes of records, with the read that reaches them; None: no limit.
    :param max_seconds: start no further read after this many seconds; None: no limit.
    :param share: with ``shares`` importers, each of which reads its own shards: number of this one, from 0.
    :param shares: how many importers there are.
    :param reader_schema: Avro schema to resolve the records to, as a dict.
    :param bytes_in_json: how bytes inside of records, arrays and maps are written: ``base64`` or ``hex``.
    :param unions: whether JSON says which branch of a union a value has; see :class:`AvroS3ImportOperator`.
    :param decoder: ``arrow`` needs the extra ``[arrow]``, and is two to five times as fast as ``fastavro``;
        ``auto`` uses it where it can. Both load the same rows.
    :param aws_conn_id: Airflow connection to AWS.
    :param region_name: AWS region of the stream, the quarantine and the registry, if the connection does not name it.
    """

    template_fields: Sequence[str] = (
        "table", "sql_conn_id", "stream", "registry", "key_columns", "columns", "count_by", "start", "until",
        "quarantine_url", "max_bad_records", "max_records", "max_bytes", "max_seconds", "share", "shares",
        "reader_schema", "aws_conn_id", "region_name",
    )  # fmt: skip
    template_fields_renderers = {"reader_schema": "json", "columns": "json"}  # noqa: RUF012
    ui_color = "#cfe8d5"

    def __init__(
        self,
        *,
        table: str,
        sql_conn_id: str,
        stream: str,
        registry: RegistryPlace | None = None,
        mode: Literal["append", "upsert"] = "append",
        key_columns: Sequence[str] = (),
        columns: Mapping[str, str] | Sequence[str] | None = None,
        create_table: bool = False,
        schema_change: SchemaChange = "fail",
        count_by: str | None = None,
        max_counts: int = MAX_COUNTS,
        start: str | datetime = "TRIM_HORIZON",
        until: str | float = "latest",
        on_expired: OnExpired = "fail",
        on_bad_record: OnBadRecord = "fail",
        quarantine_url: str | None = None,
        max_bad_records: int | str | None = 100,
        max_records: int | str | None = None,
        max_bytes: int | str | None = None,
        max_seconds: float | str | None = None,
        share: int | str = 0,
        shares: int | str = 1,
        reader_schema: Mapping[str, Any] | None = None,
        bytes_in_json: BytesInJson = "base64",
        unions: Unions = "auto",
        decoder: Decoder = "auto",
        hook_params: Mapping[str, Any] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.sql_conn_id = sql_conn_id
        self.stream = stream
        self.registry = registry
        self.mode = mode
        self.key_columns = key_columns
        self.columns = columns
        self.create_table = create_table
        self.schema_change = schema_change
        self.count_by = count_by
        self.max_counts = max_counts
        self.start = start
        self.until = until
        self.on_expired = on_expired
        self.on_bad_record = on_bad_record
        self.quarantine_url = quarantine_url
        self.max_bad_records = max_bad_records
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.max_seconds = max_seconds
        self.share = share
        self.shares = shares
        self.reader_schema = reader_schema
        self.bytes_in_json = bytes_in_json
        self.unions = unions
        self.decoder = decoder
        self.hook_params = hook_params
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self._read_stream: tuple[str, str] | None = None
        self._figures: dict[str, Any] = {}
        require_one_of("mode", mode, MODES)
        require_one_of("on_bad_record", on_bad_record, get_args(OnBadRecord))
        require_one_of("on_expired", on_expired, get_args(OnExpired))
        if (on_bad_record == "quarantine") != bool(quarantine_url):
            raise ValueError('on_bad_record="quarantine" and quarantine_url go together: give both or neither.')
        if (mode == "upsert") != bool(key_columns):
            raise ValueError('mode="upsert" and key_columns go together: give both or neither.')

    def execute(self, context: Context) -> dict[str, Any]:
        ti = context["ti"]
        settings = self._settings(f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}")
        access = ConnectionAccess(self.aws_conn_id, self.region_name)
        client = aws_session(self.aws_conn_id, self.region_name)
        hook = BaseHook.get_connection(self.sql_conn_id).get_hook(hook_params=self.hook_params)
        with no_retry(*_FINAL):
            region = region_of(self.stream) or self.region_name
            kinesis = KinesisStream(aws_session(self.aws_conn_id, region)("kinesis"), self.stream)
            registry = self.registry.opened(access) if self.registry else None
            placeholder = getattr(hook, "placeholder", None)
            run = StreamImport(hook.get_conn(), kinesis, client("s3"), settings, registry, placeholder=placeholder)
            with closing(run):
                try:
                    run.run()
                finally:
                    self.log.info("%s", run.progress.line())
        self._figures = figures = summary(run)
        namespace, _, name = run.facts.arn.rpartition(":")
        self._read_stream = (namespace, name) if figures["rows"] else None
        log_outcome(self.stream, self.table, figures)
        return figures

    def _settings(self, run: str) -> StreamJob:
        names = {one.name for one in dataclasses.fields(ImportJob)} & vars(self).keys()
        job = {name: getattr(self, name) for name in names} | {
            "run": run,
            "key_columns": tuple(self.key_columns),
            "on_bad_block": self.on_bad_record,
            "max_bad_blocks": limit("max_bad_records", self.max_bad_records),
        }
        return StreamJob(
            ImportJob(**job),
            start_of(self.start),
            until_of(self.until),
            self.on_expired,
            limit("max_records", self.max_records),
            limit("max_bytes", self.max_bytes),
            None if self.max_seconds is None else number("max_seconds", self.max_seconds),
            whole_number("share", self.share),
            whole_number("shares", self.shares, 1),
        )

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """Called by the OpenLineage provider, if it is installed, after :meth:`execute`."""
        if self._read_stream is None:
            return None
        return import_lineage([self._read_stream], self.table, self.sql_conn_id, self._figures)
