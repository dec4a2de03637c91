"""The result of an import: what was loaded, what was left out, and why."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImportedObject:
    """
    The result of importing one object.

    :param rows: rows that this import loaded.
    :param counts: how many rows have each value of ``count_by``; the values are text.
    :param uncounted_rows: rows whose value is not in ``counts``, because there were too many values.
    :param skipped: nothing was loaded: the table has the object already, or ``on_changed_object`` says to skip it.
    :param changed: for a skipped object: the table has other content of it.
    :param missing: for a skipped object: it no longer exists, and the table does not have it.
    :param quarantined_rows: rows that were left out, as far as their blocks tell the number.
    :param quarantined_blocks: blocks of which all or some rows were left out.
    """

    url: str
    rows: int = 0
    size_bytes: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    uncounted_rows: int = 0
    skipped: bool = False
    changed: bool = False
    missing: bool = False
    quarantined_rows: int = 0
    quarantined_blocks: int = 0


def reason(url: str, error: Exception) -> str:
    """Return the text of an error. If the text does not name the object, the object's URL comes first."""
    text = str(error)
    return text if url in text else f"{url}: {text}"


def summary(
    imported: Iterable[ImportedObject],
    failed_messages: int = 0,
    dead_letters: int | None = 0,
    not_matching_objects: int = 0,
) -> dict[str, Any]:
    """
    Return the figures of an import, as JSON takes them.

    ``objects`` and all figures of rows, blocks and bytes are about what was loaded now. ``skipped_objects`` counts the
    objects that the table had already, that have changed since, or that are gone; ``changed_objects`` and
    ``missing_objects`` count only those. ``complete`` is false if anything was left out, now or by an earlier import
    whose message is still a dead letter.

    :param dead_letters: messages in the queue's dead-letter queue; None if that is not known.
    :param not_matching_objects: objects that were passed over by their names.
    """
    all_of_them = list(imported)
    loaded, counts = [one for one in all_of_them if not one.skipped], Counter[str]()
    for one in loaded:
        counts.update(one.counts)
    changed, missing = sum(one.changed for one in all_of_them), sum(one.missing for one in all_of_them)
    quarantined_blocks = sum(one.quarantined_blocks for one in loaded)
    return {
        "objects": len(loaded),
        "skipped_objects": len(all_of_them) - len(loaded),
        "changed_objects": changed,
        "missing_objects": missing,
        "not_matching_objects": not_matching_objects,
        "failed_messages": failed_messages,
        "dead_letters": dead_letters,
        "rows": sum(one.rows for one in loaded),
        "quarantined_rows": sum(one.quarantined_rows for one in loaded),
        "quarantined_blocks": quarantined_blocks,
        "bytes": sum(one.size_bytes for one in loaded),
        "counts": dict(counts),
        "uncounted_rows": sum(one.uncounted_rows for one in loaded),
        "complete": not (changed or missing or failed_messages or dead_letters or quarantined_blocks),
    }


def warn_of_uncounted(figures: Mapping[str, Any]) -> None:
    """Log a warning if rows are not in the counts of an import's figures."""
    if figures["uncounted_rows"]:
        logger.warning(
            "%s rows are not in counts, because count_by has more values than max_counts, or longer ones. Take the "
            "counts from the table",
            figures["uncounted_rows"],
        )


def log_outcome(table: str, figures: Mapping[str, Any]) -> None:
    """Log the result of an import: a warning if anything was left out, so that the import does not look complete."""
    warn_of_uncounted(figures)
    if figures["complete"]:
        logger.info("Import into %s complete: %s", table, figures)
        return
    logger.warning(
        "Import into %s INCOMPLETE: %s rows quarantined, in %s blocks; %s changed and %s missing objects skipped; "
        "%s messages failed; %s messages in the dead-letter queue. See the log above and the tables "
        "agari_import_ledger and agari_import_failures. All figures: %s",
        table,
        figures["quarantined_rows"],
        figures["quarantined_blocks"],
        figures["changed_objects"],
        figures["missing_objects"],
        figures["failed_messages"],
        figures["dead_letters"],
        figures,
    )
