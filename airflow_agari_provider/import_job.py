"""What an import is to do, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from airflow_agari_provider.loaders.ledger import OnChangedObject

Mode = Literal["append", "replace", "upsert"]


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

    def __post_init__(self) -> None:
        require_matching(self.mode, self.replace_where, self.key_columns, self.on_changed_object)


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


def require_one_of(name: str, value: str, choices: Sequence[str]) -> None:
    """:raises ValueError: the argument has another value."""
    if value not in choices:
        raise ValueError(f"{name}={value!r} is none of {', '.join(map(repr, choices))}")


@dataclass(frozen=True)
class ImportedObject:
    """
    What became of an object.

    :param rows: loaded by this import.
    :param counts: rows by the values of ``count_by``, as text.
    :param skipped: nothing was loaded: it is in the table already, or ``on_changed_object`` says to pass over it.
    """

    url: str
    rows: int = 0
    size_bytes: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    skipped: bool = False


def reason(url: str, error: Exception) -> str:
    """The error's text, with the object's URL in front where it does not name it."""
    text = str(error)
    return text if url in text else f"{url}: {text}"


def summary(imported: Iterable[ImportedObject], failed_messages: int = 0) -> dict[str, Any]:
    """
    The figures of an import, as JSON takes them.

    ``objects`` and all figures are of what was loaded now; ``skipped_objects`` counts what was there already.
    """
    loaded, skipped, counts = [], 0, Counter[str]()
    for one in imported:
        if one.skipped:
            skipped += 1
        else:
            loaded.append(one)
            counts.update(one.counts)
    return {
        "objects": len(loaded),
        "skipped_objects": skipped,
        "failed_messages": failed_messages,
        "rows": sum(one.rows for one in loaded),
        "quarantined_rows": 0,
        "bytes": sum(one.size_bytes for one in loaded),
        "counts": dict(counts),
    }
