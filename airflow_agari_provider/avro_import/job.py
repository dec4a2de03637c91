"""What an import is to do, and what became of it."""

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
    :param run: who imports, in words; for the ledger.
    :param replace_where: with ``replace``: SQL condition of the rows that the objects of a call replace, all of them.
    :param key_columns: with ``upsert``: rows with the same values here replace each other, the last one stays.
    :param columns: fields to load, or field to column; None loads all under their own names.
    :param create_table: create the table by the schema of the first object if it is not there.
    :param count_by: column by whose values the rows are counted.
    :param on_changed_object: what new content under a key that was loaded means. ``replace`` takes ``upsert``: without
        a key nothing tells which rows the old content was.
    :param reader_schema: Avro schema to resolve the records to.
    :param decoder: ``auto`` takes Arrow where it can be used, else fastavro; ``arrow`` insists on it.
    :param schema_change: what fields without a column in the table mean: an error; they are not loaded; or the table
        gets a nullable column for each.
    :param copy_access: how Redshift and Snowflake, which fetch objects themselves, may: an IAM role, or a stage.
    :param on_bad_block: what damaged blocks and rows that the database refuses mean: nothing of their object is loaded,
        or they are put below ``quarantine_url`` and the rest is loaded.
    :param quarantine_url: S3 folder, not a whole bucket.
    :param max_bad_blocks: of one object that may be bad or hold bad rows; None allows any number.
    :raises ValueError: arguments that do not go together.
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
    :param replace_where: and ``key_columns`` count by whether they are given at all.
    :raises ValueError: arguments that do not go together.
    """
    require_one_of("mode", mode, get_args(Mode))
    require_one_of("on_changed_object", on_changed_object, get_args(OnChangedObject))
    if (mode == "replace") != bool(replace_where):
        raise ValueError('mode="replace" and replace_where go together: the rows to delete before the load')
    if (mode == "upsert") != bool(key_columns):
        raise ValueError('mode="upsert" and key_columns go together: the columns that tell rows apart')
    if mode == "append" and on_changed_object == "replace":
        raise ValueError(
            'on_changed_object="replace" takes mode="upsert": nothing tells which appended rows the old content was'
        )


def require_quarantine(on_bad_block: str, quarantine_url: object) -> None:
    """:raises ValueError: arguments that do not go together."""
    require_one_of("on_bad_block", on_bad_block, get_args(OnBadBlock))
    if (on_bad_block == "quarantine") != bool(quarantine_url):
        raise ValueError('on_bad_block="quarantine" and quarantine_url go together: the S3 folder for what is bad')
    if isinstance(quarantine_url, str) and "{{" not in quarantine_url and not split_url(quarantine_url)[1].strip("/"):
        raise ValueError(f"quarantine_url={quarantine_url!r} is a whole bucket; expected a folder of its own")


@dataclass(frozen=True)
class ImportedObject:
    """
    What became of an object.

    :param rows: loaded by this import.
    :param counts: rows by the values of ``count_by``, as text.
    :param skipped: nothing was loaded: it is in the table already, or ``on_changed_object`` says to pass over it.
    :param changed: of a skipped one: its content in the table is another one.
    :param quarantined_rows: that were left out, as far as their blocks tell.
    :param quarantined_blocks: that were left out, whole or some of their rows.
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
    """The error's text, with the object's URL in front where it does not name it."""
    text = str(error)
    return text if url in text else f"{url}: {text}"


def summary(imported: Iterable[ImportedObject], failed_messages: int = 0) -> dict[str, Any]:
    """
    The figures of an import, as JSON takes them.

    ``objects`` and all figures are of what was loaded now; ``skipped_objects`` counts what was there already or has
    changed since, ``changed_objects`` the latter. ``complete`` is false where anything was left out.
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
    """The last word on an import: a warning where anything was left out, so that nobody takes it for a full one."""
    if figures["complete"]:
        logger.info("All there was is in %s: %s", table, figures)
        return
    logger.warning(
        "INCOMPLETE, not all there was is in %s: %s rows quarantined, of %s blocks; %s changed objects skipped; "
        "%s messages failed; see above, and tables agari_import_ledger and agari_import_failures: %s",
        table,
        figures["quarantined_rows"],
        figures["quarantined_blocks"],
        figures["changed_objects"],
        figures["failed_messages"],
        figures,
    )
