"""Load Avro files from S3 into a database table, each file exactly once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, get_args

from airflow_agari_provider.airflow_compat import BaseHook, BaseOperator
from airflow_agari_provider.airflow_errors import no_retry, without_objects
from airflow_agari_provider.avro.blocks import MAX_BLOCK_BYTES
from airflow_agari_provider.avro.columns import BytesInJson
from airflow_agari_provider.avro.decoders import ArrowUnusable, Decoder
from airflow_agari_provider.avro.unions import Unions
from airflow_agari_provider.avro_import.changed_object import OnChangedObject
from airflow_agari_provider.avro_import.errors import IfNoObjects, NoObjects
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import (
    MAX_COUNTS,
    OBJECTS_PER_TRANSACTION,
    ImportJob,
    Mode,
    OnBadBlock,
    OnMissingObject,
    require_choices,
    require_matching,
    require_numbers,
    require_quarantine,
)
from airflow_agari_provider.avro_import.outcome import ImportedObject, log_outcome, summary
from airflow_agari_provider.avro_import.progress import ImportProgress
from airflow_agari_provider.avro_import.queue_import import QueueImport
from airflow_agari_provider.avro_import.schema_change import SchemaChange
from airflow_agari_provider.databases.dialects import UnknownDatabase
from airflow_agari_provider.databases.errors import MissingTable, NoUniqueKey, OtherUniqueKey
from airflow_agari_provider.databases.generic import NoTransactions
from airflow_agari_provider.exceptions import UnimportableObject, limit, number, require_one_of, whole_number
from airflow_agari_provider.operators.avro_s3_import_lineage import dataset_of, folders_of, import_lineage
from airflow_agari_provider.s3.objects import objects_at
from airflow_agari_provider.s3.requester_pays import pay_for_requests
from airflow_agari_provider.triggers.sqs_connection import consumer_of

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_agari_provider.airflow_compat import Context


class AvroS3ImportOperator(BaseOperator):
    """
    Load Avro object container files from S3 into a table, each exactly once.

    An object's rows and its entry in the table ``agari_import_ledger`` are committed in one transaction: a retry, a
    redelivered message or a second importer neither repeats nor loses a row. Objects that cannot be loaded are recorded
    in ``agari_import_failures``.

    Returns what this run loaded: ``{"objects", "skipped_objects", "changed_objects", "missing_objects",
    "not_matching_objects", "failed_messages", "dead_letters", "rows", "quarantined_rows", "quarantined_blocks",
    "bytes", "counts", "uncounted_rows", "complete"}``. ``skipped_objects`` were in the table before;
    ``changed_objects`` of them have other content now, and ``missing_objects`` are gone. ``complete`` is false if
    anything was left out, or if the queue's dead-letter queue holds messages.

    :param table: table to load into, as ``table`` or ``schema.table``, in upper and lower case as in the database.
    :param sql_conn_id: connection to PostgreSQL, MySQL, MariaDB or SQLite; or to any other database whose hook is a
        ``DbApiHook``, with the limits in the documentation.
    :param hook_params: arguments for the hook of ``sql_conn_id``, such as ``{"local_infile": True}`` for MySQL's.
    :param s3_url: URL of an object or a folder (everything below it), or a list of URLs. Give either this or
        ``queue_url``.
    :param pattern: the names of the objects to load, with ``*``, ``?`` and ``[...]``: in a folder, and of a queue's
        messages. Others are counted as ``not_matching_objects``. None loads every name that is not hidden.
    :param queue_url: URL, ARN or name of an SQS queue that gets S3's notifications; any number of other importers may
        share it. A message is deleted after all its objects are committed; one that cannot be imported goes to the
        queue's dead-letter queue. The task ends when no message is visible or in flight.
    :param mode: ``append`` adds the rows. ``replace_objects`` does too, and replaces exactly the rows of an object that
        has new content; it needs ``origin_columns``. ``replace`` deletes the rows that match ``replace_where`` and
        loads all objects, in one transaction; with ``s3_url`` only. ``upsert`` replaces rows that have the same
        ``key_columns``.
    :param replace_where: SQL condition that selects exactly the rows that the objects replace.
    :param key_columns: with ``upsert``; the table needs a primary or unique key of these columns. If several rows of
        one object have the same key, the last one stays.
    :param columns: fields to load, or ``{field: column}``; None loads all under their own names. ``geo.city`` is one
        within the record ``geo``, ``geo.*`` stands for all its fields. Table columns that are not loaded get their
        defaults.
    :param origin_columns: columns that tell where each row came from: ``{"object_url": "source", "row_number": "row",
        "load_run": "run"}``, or some of these. Rows are counted from 0.
    :param create_table: if the table does not exist, create it from the schema of the first object.
    :param schema_change: what to do about fields that the table has no column for: ``fail``; ``ignore``: do not load
        them; ``add_columns``: add a nullable column to the table for each.
    :param copy_access: for Redshift, which reads the objects from S3 itself: the ARN of an IAM role that may read them,
        or ``default``; for Snowflake: the name of an external stage whose URL is the bucket.
    :param count_by: column; ``counts`` holds the number of rows for each of its values.
    :param max_counts: how many values of ``count_by`` are counted; rows of further ones are only in
        ``uncounted_rows``.
    :param on_changed_object: what to do about a loaded object that has new content: ``fail``; ``skip`` it; ``replace``,
        with ``upsert``: load it again. Rows whose key the new content no longer has stay in the table.
    :param on_missing_object: what to do about an object that is gone when it is to be read: ``fail``, or ``skip`` it.
    :param on_bad_block: what to do about damaged blocks, and rows that the database refuses. ``fail``: load nothing of
        their object; ``quarantine``: write them below ``quarantine_url``, and load the rest.
    :param quarantine_url: S3 folder; objects in it are never imported.
    :param max_bad_blocks: how many blocks of one object may be bad or hold bad rows; with more, the object fails. None:
        no limit.
    :param max_block_bytes: size of a block as stored, above which it counts as damaged; decompressed it may be twice as
        large. A block is decoded as a whole, in memory.
    :param objects_per_transaction: how many objects of up to 1 MiB may be loaded in one transaction, which is several
        times as fast; one that fails is then loaded alone. 1: each object has its own transaction.
    :param if_no_objects: what to do if there is no object at ``s3_url``.
    :param reader_schema: Avro schema to resolve the records to, as a dict.
    :param bytes_in_json: how bytes inside of records, arrays and maps are written: ``base64`` or ``hex``.
    :param unions: whether JSON says which branch of a union a value has, as ``{"<branch>": value}``. ``auto``: in
        unions where the value alone would not tell; ``tagged``: in all; ``plain``: in none, and a column with such a
        union is refused.
    :param decoder: ``arrow`` needs the extra ``[arrow]``, and is two to five times as fast as ``fastavro``;
        ``auto`` uses it where it can, and logs the reason where it cannot. Both load the same rows.
    :param wait_time_seconds: how long a request to the queue waits for messages, 0 to 20.
    :param max_messages: stop after this many messages; None: no limit.
    :param max_seconds: start no new message after this many seconds; None: no limit.
    :param max_objects: start no new message once this many objects are loaded; None: no limit.
    :param requester_pays: pay for the requests to a bucket whose owner lets requesters pay.
    :param aws_conn_id: Airflow connection to AWS.
    :param region_name: AWS region of the bucket and the queue, if the connection does not name it.
    """

    template_fields: Sequence[str] = (
        "table", "sql_conn_id", "s3_url", "pattern", "queue_url", "replace_where", "key_columns", "columns",
        "origin_columns", "copy_access", "count_by", "reader_schema", "quarantine_url", "max_bad_blocks",
        "wait_time_seconds", "max_messages", "max_seconds", "max_objects", "aws_conn_id", "region_name",
    )  # fmt: skip
    template_fields_renderers = {"replace_where": "sql", "reader_schema": "json", "columns": "json"}  # noqa: RUF012
    ui_color = "#cfe8d5"

    def __init__(
        self,
        *,
        table: str,
        sql_conn_id: str,
        s3_url: str | Sequence[str] | None = None,
        pattern: str | None = "*.avro",
        queue_url: str | None = None,
        mode: Mode = "append",
        replace_where: str | None = None,
        key_columns: Sequence[str] = (),
        columns: Mapping[str, str] | Sequence[str] | None = None,
        origin_columns: Mapping[str, str] | None = None,
        create_table: bool = False,
        schema_change: SchemaChange = "fail",
        copy_access: str | None = None,
        count_by: str | None = None,
        max_counts: int = MAX_COUNTS,
        on_changed_object: OnChangedObject = "fail",
        on_missing_object: OnMissingObject = "fail",
        on_bad_block: OnBadBlock = "fail",
        quarantine_url: str | None = None,
        max_bad_blocks: int | str | None = 100,
        max_block_bytes: int = MAX_BLOCK_BYTES,
        objects_per_transaction: int = OBJECTS_PER_TRANSACTION,
        if_no_objects: IfNoObjects = "fail",
        reader_schema: Mapping[str, Any] | None = None,
        bytes_in_json: BytesInJson = "base64",
        unions: Unions = "auto",
        decoder: Decoder = "auto",
        wait_time_seconds: int | str = 20,
        max_messages: int | str | None = None,
        max_seconds: float | str | None = None,
        max_objects: int | str | None = None,
        requester_pays: bool = False,
        hook_params: Mapping[str, Any] | None = None,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.sql_conn_id = sql_conn_id
        self.s3_url = s3_url
        self.pattern = pattern
        self.queue_url = queue_url
        self.mode = mode
        self.replace_where = replace_where
        self.key_columns = key_columns
        self.columns = columns
        self.origin_columns = origin_columns or {}
        self.create_table = create_table
        self.schema_change = schema_change
        self.copy_access = copy_access
        self.count_by = count_by
        self.max_counts = max_counts
        self.on_changed_object = on_changed_object
        self.on_missing_object = on_missing_object
        self.on_bad_block = on_bad_block
        self.quarantine_url = quarantine_url
        self.max_bad_blocks = max_bad_blocks
        self.max_block_bytes = max_block_bytes
        self.objects_per_transaction = objects_per_transaction
        self.if_no_objects = if_no_objects
        self.reader_schema = reader_schema
        self.bytes_in_json = bytes_in_json
        self.unions = unions
        self.decoder = decoder
        self.wait_time_seconds = wait_time_seconds
        self.max_messages = max_messages
        self.max_seconds = max_seconds
        self.max_objects = max_objects
        self.requester_pays = requester_pays
        self.hook_params = hook_params
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self._folders: list[str] = []
        self._figures: dict[str, Any] = {}
        if (s3_url is None) == (queue_url is None):
            raise ValueError("Give either s3_url or queue_url: exactly one of them.")
        if queue_url is not None and mode == "replace":
            raise ValueError('mode="replace" needs s3_url: a queue does not tell when a window is complete.')
        require_one_of("if_no_objects", if_no_objects, get_args(IfNoObjects))
        require_choices(self)
        require_numbers(self)
        require_matching(mode, replace_where, key_columns, on_changed_object, self.origin_columns)
        require_quarantine(on_bad_block, quarantine_url)

    def execute(self, context: Context) -> dict[str, Any]:
        ti = context["ti"]
        job = self._job(f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}")
        keys = (NoUniqueKey, OtherUniqueKey)
        with no_retry(UnimportableObject, MissingTable, *keys, UnknownDatabase, NoTransactions, ArrowUnusable):
            of_urls = self.queue_url is None
            imported, failed, dead, others = self._import_urls(job) if of_urls else self._import_queue(job)
        self._figures = figures = summary(imported, failed, dead, others)
        self._folders = folders_of(one.url for one in imported if not one.skipped)
        log_outcome(self.table, figures)
        return figures

    def _job(self, run: str) -> ImportJob:
        names = {one.name for one in dataclasses.fields(ImportJob)} & vars(self).keys()
        settings = {name: getattr(self, name) for name in names} | {
            "run": run,
            "key_columns": tuple(self.key_columns),
            "max_bad_blocks": limit("max_bad_blocks", self.max_bad_blocks),
        }
        return ImportJob(**settings)

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """Called by the OpenLineage provider, if it is installed, after :meth:`execute`."""
        if not self._folders:
            return None
        return import_lineage(map(dataset_of, self._folders), self.table, self.sql_conn_id, self._figures)

    def _import_urls(self, job: ImportJob) -> tuple[list[ImportedObject], int, int, int]:
        s3 = self._s3()
        skipped: list[str] = []
        found = objects_at(s3, self.s3_url or (), self.pattern, skipped.append)
        if skipped:
            self.log.info(
                "%s objects skipped, which are hidden or do not match pattern=%r; the first: %s",
                len(skipped),
                self.pattern,
                skipped[0],
            )
        if not found:
            error = NoObjects(str(self.s3_url), str(self.pattern), len(skipped))
            without_objects(self.if_no_objects, self.s3_url, error)
        progress = ImportProgress()
        with closing(self._importer(s3, job, progress)) as importer:
            imported = importer.replace_window(found) if job.mode == "replace" else importer.import_objects(found)
        self.log.info("%s", progress.line())
        return imported, 0, 0, len(skipped)

    def _import_queue(self, job: ImportJob) -> tuple[list[ImportedObject], int, int | None, int]:
        s3, progress = self._s3(), ImportProgress()
        share = QueueImport(
            *consumer_of(self.aws_conn_id, self.region_name, self.queue_url or ""),
            lambda: self._importer(s3, job, progress),
            whole_number("wait_time_seconds", self.wait_time_seconds),
            limit("max_messages", self.max_messages or None),
            number("max_seconds", self.max_seconds) if self.max_seconds else None,
            limit("max_objects", self.max_objects or None),
            self.pattern,
        )
        share.run()
        self.log.info("%s", progress.line())
        return share.imported, len(share.failed), share.dead_letters, len(share.not_matching)

    def _s3(self) -> Any:
        from airflow.providers.amazon.aws.hooks.s3 import S3Hook

        s3 = S3Hook(aws_conn_id=self.aws_conn_id, region_name=self.region_name).conn
        if self.requester_pays:
            pay_for_requests(s3)
        return s3

    def _importer(self, s3: Any, job: ImportJob, progress: ImportProgress) -> Importer:
        hook = BaseHook.get_connection(self.sql_conn_id).get_hook(hook_params=self.hook_params)
        return Importer(hook.get_conn(), s3, job, progress, getattr(hook, "placeholder", None))
