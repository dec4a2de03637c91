"""The settings of an import, and its result."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from airflow_agari_provider.avro.decoders import Decoder
from airflow_agari_provider.avro_import.changed_object import OnChangedObject
from airflow_agari_provider.avro_import.schema_change import SchemaChange
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.s3.urls import split_url

logger = logging.getLogger(__name__)

Mode = Literal["append", "replace", "upsert"]
OnBadBlock = Literal["fail", "quarantine"]


@dataclass(frozen=True)
class ImportJob:
    """
    What to do with each object.

    :param table: as ``table`` or ``schema.table``.
    :param run: name of the run that imports, as text; for the ledger.
    :param replace_where: with ``replace``: SQL condition for the rows to delete. All objects of a call replace them.
    :param key_columns: with ``upsert``: rows with the same values in these columns replace each other; the last one
        stays.
    :param columns: fields to load, or a mapping from field to column; None loads all fields under their own names.
    :param create_table: create the table from the schema of the first object if the table does not exist.
    :param count_by: column by whose values the rows are counted.
    :param on_changed_object: what to do with new content under a key that was loaded before. ``replace`` needs
        ``upsert``: without a key, nothing tells which rows came from the old content.
    :param reader_schema: Avro schema to resolve the records to.
    :param decoder: ``auto`` takes Arrow where it can be used, else fastavro; ``arrow`` fails where it cannot be used.
    :param schema_change: what to do with fields that have no column in the table. ``fail``: raise an error; ``ignore``:
        do not load them; ``add_columns``: add a nullable column for each.
    :param copy_access: permission for Redshift and Snowflake, which fetch objects themselves: an IAM role, or a stage.
    :param on_bad_block: what to do with damaged blocks and with rows that the database refuses. ``fail``: load nothing
        of their object; ``quarantine``: put them below ``quarantine_url`` and load the rest.
    :param quarantine_url: S3 folder, not a whole bucket.
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
    on_changed_object: OnChangedObject = "fail"
    reader_schema: Any = None
    decoder: Decoder = "auto"
    schema_change: SchemaChange = "fail"
    copy_access: str | None = None
    on_bad_block: OnBadBlock = "fail"
    quarantine_url: str | None = None
    max_bad_blocks: int | None = 100

    def __post_init__(self) -> None:
        require_matching(self.mode, self.replace_where, self.key_columns, self.on_changed_object)
        require_one_of("decoder", self.decoder, get_args(Decoder))
        require_one_of("schema_change", self.schema_change, get_args(SchemaChange))
        require_quarantine(self.on_bad_block, self.quarantine_url)


def require_matching(mode: str, replace_where: object, key_columns: object, on_changed_object: str) -> None:
    """
    Check that the arguments of an import fit together.

    :param replace_where: only whether it is given is checked; the same for ``key_columns``.
    :raises ValueError: the arguments do not fit together.
    """
    require_one_of("mode", mode, get_args(Mode))
    require_one_of("on_changed_object", on_changed_object, get_args(OnChangedObject))
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
            'came from the old content. Use mode="upsert".'
        )


def require_quarantine(on_bad_block: str, quarantine_url: object) -> None:
    """:raises ValueError: the arguments do not fit together."""
    require_one_of("on_bad_block", on_bad_block, get_args(OnBadBlock))
    if (on_bad_block == "quarantine") != bool(quarantine_url):
        raise ValueError(
            'on_bad_block="quarantine" and quarantine_url go together: give both or neither. '
            "quarantine_url is the S3 folder for damaged blocks and refused rows."
        )
    if isinstance(quarantine_url, str) and "{{" not in quarantine_url and not split_url(quarantine_url)[1].strip("/"):
        raise ValueError(f"quarantine_url={quarantine_url!r} is a whole bucket; give a folder that has no other use.")


@dataclass(frozen=True)
class ImportedObject:
    """
    The result of importing one object.

    :param rows: rows that this import loaded.
    :param counts: how many rows have each value of ``count_by``; the values are text.
    :param skipped: nothing was loaded: the table has the object already, or ``on_changed_object`` says to skip it.
    :param changed: for a skipped object: the table has other content of it.
    :param quarantined_rows: rows that were left out, as far as their blocks tell the number.
    :param quarantined_blocks: blocks of which all or some rows were left out.
    """

    url: str
    rows: int = 0
    size_bytes: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: bool = False
    changed: bool = False
    quarantined_rows: int = 0
    quarantined_blocks: int = 0


def reason(url: str, error: Exception) -> str:
    """Return the text of an error. If the text does not name the object, the object's URL comes first."""
    text = str(error)
    return text if url in text else f"{url}: {text}"


def summary(imported: Iterable[ImportedObject], failed_messages: int = 0) -> dict[str, Any]:
    """
    Return the figures of an import, as JSON takes them.

    ``objects`` and all figures of rows, blocks and bytes are about what was loaded now. ``skipped_objects`` counts the
    objects that the table had already or that have changed since; ``changed_objects`` counts only those that have
    changed. ``complete`` is false if anything was left out.
    """
    all_of_them = list(imported)
    loaded, counts = [one for one in all_of_them if not one.skipped], Counter[str]()
    for one in loaded:
        counts.update(one.counts)
    changed = sum(one.changed for one in all_of_them)
    quarantined_blocks = sum(one.quarantined_blocks for one in loaded)
    return {
        "objects": len(loaded),
        "skipped_objects": len(all_of_them) - len(loaded),
        "changed_objects": changed,
        "failed_messages": failed_messages,
        "rows": sum(one.rows for one in loaded),
        "quarantined_rows": sum(one.quarantined_rows for one in loaded),
        "quarantined_blocks": quarantined_blocks,
        "bytes": sum(one.size_bytes for one in loaded),
        "counts": dict(counts),
        "complete": not (changed or failed_messages or quarantined_blocks),
    }


def log_outcome(table: str, figures: Mapping[str, Any]) -> None:
    """Log the result of an import: a warning if anything was left out, so that the import does not look complete."""
    if figures["complete"]:
        logger.info("Import into %s complete: %s", table, figures)
        return
    logger.warning(
        "Import into %s INCOMPLETE: %s rows quarantined, in %s blocks; %s changed objects skipped; %s messages failed. "
        "See the log above and the tables agari_import_ledger and agari_import_failures. All figures: %s",
        table,
        figures["quarantined_rows"],
        figures["quarantined_blocks"],
        figures["changed_objects"],
        figures["failed_messages"],
        figures,
    )
