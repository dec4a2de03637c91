"""What is under way now, in all DAGs that a reader may read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.charts.active import (
    ActiveRow,
    TaskKey,
    Usual,
    by_pool,
    expected_end,
    longer_than_usual,
    oldest_first,
)
from airflow_agari_provider.views.queries import active

SHOWN = 500  # instances in one answer


@dataclass(frozen=True)
class UnderWay:
    """What is under way in all DAGs: see ``permitted_part``."""

    rows: Sequence[ActiveRow]
    usual: Mapping[TaskKey, Usual]
    slots: Mapping[str, int]


def under_way(session: Any, now: float) -> UnderWay:
    rows = active.active(session)
    at_work = {(row.dag_id, row.task_id) for row in rows if row.state in ("running", "deferred")}
    return UnderWay(rows, active.usual(session, at_work), active.slots(session))


def permitted_part(found: UnderWay, permitted: Collection[str], now: float) -> dict[str, Any]:
    """Return the answer to ``GET api/active``. :param permitted: ids of the DAGs that the reader may read."""
    rows = [row for row in found.rows if row.dag_id in permitted]
    shown = oldest_first(rows, found.usual, now)[:SHOWN]
    usual = [found.usual.get((row.dag_id, row.task_id)) for row in shown]
    pools = by_pool(rows)
    names = sorted(pools)
    return {
        "total": len(rows),
        "more": len(found.rows) >= active.MOST_ACTIVE,
        "tasks": {
            "dag_id": [row.dag_id for row in shown],
            "run_id": [row.run_id for row in shown],
            "task_id": [row.task_id for row in shown],
            "map_index": [row.map_index for row in shown],
            "state": [row.state for row in shown],
            "try_number": [row.try_number for row in shown],
            "since": [_rounded(row.since) for row in shown],
            "median_seconds": [_rounded(one and one.median) for one in usual],
            "p95_seconds": [_rounded(one and one.p95) for one in usual],
            "longer_than_usual": [longer_than_usual(row, found.usual, now) for row in shown],
            "expected_end": [_rounded(expected_end(row, found.usual, now)) for row in shown],
            "pool": [row.pool for row in shown],
            "queue": [row.queue for row in shown],
            "executor": [row.executor for row in shown],
        },
        "pools": {
            "pool": names,
            "slots": [found.slots.get(name) for name in names],
            "slots_taken": [pools[name]["slots_taken"] for name in names],
            "queued": [pools[name]["queued"] for name in names],
            "scheduled": [pools[name]["scheduled"] for name in names],
        },
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
