"""The settings of an import, and whether they fit together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from airflow_agari_provider.avro.blocks import MAX_BLOCK_BYTES
from airflow_agari_provider.avro.columns import BytesInJson
from airflow_agari_provider.avro.decoders import Decoder
from airflow_agari_provider.avro.unions import Unions
from airflow_agari_provider.avro_import.changed_object import OnChangedObject
from airflow_agari_provider.avro_import.origin import require_origins
from airflow_agari_provider.avro_import.schema_change import SchemaChange
from airflow_agari_provider.exceptions import require_one_of, whole_number
from airflow_agari_provider.s3.urls import split_url

Mode = Literal["append", "replace", "upsert", "replace_objects"]
OnMissingObject = Literal["fail", "skip"]
OnBadBlock = Literal["fail", "quarantine"]
MAX_COUNTS = 10_000
OBJECTS_PER_TRANSACTION = 100
_CHOICES: Mapping[str, Any] = {
    "mode": Mode,
    "on_changed_object": OnChangedObject,
    "on_missing_object": OnMissingObject,
    "bytes_in_json": BytesInJson,
    "unions": Unions,
    "decoder": Decoder,
    "schema_change": SchemaChange,
    "on_bad_block": OnBadBlock,
}


@dataclass(frozen=True)
class ImportJob:
    """
    What to do with each object.

    :param table: as ``table`` or ``schema.table``.
    :param run: name of the run that imports, as text; for the ledger.
    :param replace_where: with ``replace``: SQL condition for the rows to delete. All objects of a call replace them.
    :param key_columns: with ``upsert``: rows with the same values in these columns replace each other; the last one
        stays.
    :param origin_columns: columns for where each row came from: ``{"object_url": ..., "row_number": ..., "load_run":
        ...}``, or some of these; rows are counted from 0. ``replace_objects`` needs the first: it appends, and replaces
        the rows of an object that has new content.
    :param columns: fields to load, or a mapping from field to column; None loads all fields under their own names.
    :param create_table: create the table from the schema of the first object if the table does not exist.
    :param count_by: column by whose values the rows are counted.
    :param on_changed_object: what to do with new content under a key that was loaded before. ``replace`` needs
        ``upsert``: without a key, nothing tells which rows came from the old content.
    :param on_missing_object: what to do about an object that is gone when it is to be read.
    :param reader_schema: Avro schema to resolve the records to.
    :param bytes_in_json: how bytes inside of records, arrays and maps are written: ``base64`` or ``hex``.
    :param unions: whether JSON says which branch of a union a value has, as ``{"<branch>": value}``. ``auto``: in
        unions where the value alone would not tell; ``tagged``: in all; ``plain``: in none, and columns with such
        unions are refused.
    :param decoder: ``auto`` takes Arrow where it can be used, else fastavro; ``arrow`` fails where it cannot be used.
    :param schema_change: what to do with fields that have no column in the table. ``fail``: raise an error; ``ignore``:
        do not load them; ``add_columns``: add a nullable column for each.
    :param copy_access: permission for Redshift and Snowflake, which fetch objects themselves: an IAM role, or a stage.
    :param on_bad_block: what to do with damaged blocks and with rows that the database refuses. ``fail``: load nothing
        of their object; ``quarantine``: put them below ``quarantine_url`` and load the rest.
    :param quarantine_url: S3 folder, not a whole bucket.
    :param max_block_bytes: size of a block as stored, above which it is bad; decompressed it may be twice as large.
    :param max_counts: how many values of ``count_by`` are counted; rows of others count as ``uncounted_rows``.
    :param objects_per_transaction: how many small objects may be loaded in one transaction; 1: each alone.
    :param max_bad_blocks: how many blocks of one object may be bad or hold bad rows; None: no limit.
    :raises ValueError: the arguments do not fit together.
    """

    table: str
    run: str
    mode: Mode = "append"
    replace_where: str | None = None
    key_columns: tuple[str, ...] = ()
    columns: Mapping[str, str] | Sequence[str] | None = None
    create_table: bool = False
    count_by: str | None = None
    origin_columns: Mapping[str, str] = field(default_factory=dict)
    on_changed_object: OnChangedObject = "fail"
    on_missing_object: OnMissingObject = "fail"
    reader_schema: Any = None
    bytes_in_json: BytesInJson = "base64"
    unions: Unions = "auto"
    decoder: Decoder = "auto"
    schema_change: SchemaChange = "fail"
    copy_access: str | None = None
    on_bad_block: OnBadBlock = "fail"
    quarantine_url: str | None = None
    max_bad_blocks: int | None = 100
    max_block_bytes: int = MAX_BLOCK_BYTES
    max_counts: int = MAX_COUNTS
    objects_per_transaction: int = OBJECTS_PER_TRANSACTION

    def __post_init__(self) -> None:
        require_choices(self)
        require_numbers(self)
        require_matching(self.mode, self.replace_where, self.key_columns, self.on_changed_object, self.origin_columns)
        require_quarantine(self.on_bad_block, self.quarantine_url)
        require_different(self.columns)
        require_origins(self.origin_columns)

    @property
    def on_changed(self) -> OnChangedObject:
        """What to do with new content, as the mode has it."""
        return "replace" if self.mode == "replace_objects" else self.on_changed_object


def require_choices(settings: object) -> None:
    """
    Check the settings that have a few values.

    :param settings: an object with the settings as attributes.
    :raises ValueError: one has another value.
    """
    for name, kind in _CHOICES.items():
        require_one_of(name, getattr(settings, name), get_args(kind))


def require_numbers(settings: Any) -> None:
    """
    Check the settings that are plain numbers.

    :param settings: an object with the settings as attributes.
    :raises ValueError: one is no whole number, or too small.
    """
    for name, least in (("max_block_bytes", 1), ("max_counts", 0), ("objects_per_transaction", 1)):
        whole_number(name, getattr(settings, name), least)


def require_matching(
    mode: str, replace_where: object, key_columns: object, on_changed_object: str, origin_columns: Mapping[str, str]
) -> None:
    """
    Check that the arguments of an import fit together.

    :param replace_where: only whether it is given is checked; the same for ``key_columns``.
    :raises ValueError: the arguments do not fit together.
    """
    if (mode == "replace") != bool(replace_where):
        raise ValueError(
            'mode="replace" and replace_where go together: give both or neither. '
            "replace_where is the SQL condition for the rows to delete before the load."
        )
    if (mode == "upsert") != bool(key_columns):
        raise ValueError(
            'mode="upsert" and key_columns go together: give both or neither. '
            "key_columns are the columns that identify a row."
        )
    if mode == "append" and on_changed_object == "replace":
        raise ValueError(
            'on_changed_object="replace" does not work with mode="append", because nothing tells which appended rows '
            'came from the old content. Use mode="upsert", or mode="replace_objects" with origin_columns.'
        )
    if mode == "replace_objects" and "object_url" not in origin_columns:
        raise ValueError(
            'mode="replace_objects" needs origin_columns={"object_url": "<column>"}, which tells whose each row is.'
        )


def require_different(columns: Mapping[str, str] | Sequence[str] | None) -> None:
    """:raises ValueError: two fields go to one column."""
    names = list(columns.values()) if isinstance(columns, Mapping) else []
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"columns= gives more than one field to column {twice[0]!r}; give each field its own column")


def require_quarantine(on_bad_block: str, quarantine_url: object) -> None:
    """:raises ValueError: the arguments do not fit together."""
    if (on_bad_block == "quarantine") != bool(quarantine_url):
        raise ValueError(
            'on_bad_block="quarantine" and quarantine_url go together: give both or neither. '
            "quarantine_url is the S3 folder for damaged blocks and refused rows."
        )
    if isinstance(quarantine_url, str) and "{{" not in quarantine_url and not split_url(quarantine_url)[1].strip("/"):
        raise ValueError(f"quarantine_url={quarantine_url!r} is a whole bucket; give a folder that has no other use.")
