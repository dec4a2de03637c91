"""The result of an import of a stream: what was loaded, what was left out, and why."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow_agari_provider.avro_import.outcome import warn_of_uncounted
from airflow_agari_provider.streams.stream_import import StreamImport

logger = logging.getLogger(__name__)


def summary(run: StreamImport) -> dict[str, Any]:
    """
    Return the figures of a run, as JSON takes them.

    ``complete`` is false if anything was left out that no later run will load. ``caught_up`` is false if the next run
    finds more.
    """
    loaded = run.loaded
    return {
        "shards": run.shards,
        "reads": run.reads,
        "records": loaded.records,
        "rows": loaded.rows,
        "quarantined_records": loaded.quarantined_records,
        "quarantined_rows": loaded.quarantined_rows,
        "bytes": loaded.size_bytes,
        "counts": dict(loaded.counts),
        "uncounted_rows": loaded.uncounted_rows,
        "behind_seconds": round(run.progress.behind, 3),
        "caught_up": run.caught_up,
        "gaps": [gap.figures() for gap in run.gaps],
        "complete": not (loaded.quarantined_records or run.gaps),
    }


def log_outcome(stream: str, table: str, figures: Mapping[str, Any]) -> None:
    """Log the result of a run: a warning if anything was left out, so that it does not look complete."""
    warn_of_uncounted(figures)
    if figures["complete"]:
        logger.info("Import of %s into %s complete: %s", stream, table, figures)
        return
    logger.warning(
        "Import of %s into %s INCOMPLETE: %s records with %s rows quarantined, %s gaps. See the log above and the "
        "tables agari_stream_checkpoints and agari_import_failures. All figures: %s",
        stream,
        table,
        figures["quarantined_records"],
        figures["quarantined_rows"],
        len(figures["gaps"]),
        figures,
    )
