"""Which runs got the events that tasks emitted for assets (on 2.11: datasets)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.blast_radius.graph import Edge, Found, Reached, Run, RunKey, Unknown
from airflow_agari_provider.views.queries.linked_runs import moment_of, runs_of_ids
from airflow_agari_provider.views.queries.stored_dags import AT_ONCE, chunks
from airflow_agari_provider.views.queries.tables import (
    ASSET,
    ASSET_NAME,
    CONSUMER,
    CONSUMER_ASSET,
    DAG,
    EVENT,
    EVENT_ASSET,
    EVENT_QUEUE,
    EVENT_USE,
    QUEUED_ASSET,
    dialect,
    epoch,
)

MOST_EVENTS = 200_000  # that are read for one level


def asset_links(session: Any, level: Sequence[Reached]) -> Found:
    """Return which runs got events of these runs, and which DAGs should have got one and have no such run."""
    found = Found()
    events = _events(session, level, found)
    uses: dict[int, set[int]] = {}
    for some in chunks(events):
        query = sa.select(EVENT_USE.c.event_id, EVENT_USE.c.dag_run_id).where(EVENT_USE.c.event_id.in_(some))
        for event_id, number in session.execute(query):
            uses.setdefault(event_id, set()).add(number)
    consumers = runs_of_ids(session, set().union(*uses.values()))
    names = _names(session, {event.asset for event in events.values()})
    for event_id, event in events.items():
        for number in uses.get(event_id, ()):
            if run := consumers.get(number):
                found.runs[run.key] = run
                source = RunKey(event.source_dag_id, event.source_run_id)
                what = names.get(event.asset, "an asset that was deleted")
                found.edges.append(Edge(source, event.source_task_id, run.key, "", "asset", what))
    found.edges = list(dict.fromkeys(found.edges))  # a mapped task emits an event for each index
    found.unknown += _not_consumed(session, events, uses, consumers, names)
    return found


def _events(session: Any, level: Sequence[Reached], found: Found) -> dict[int, Any]:
    """
    Return the events of these runs by their numbers.

    No index leads from a run to its events. The one on asset and time does: it is asked for every asset since the
    oldest of the runs began or was due.
    """
    spoiled = {one.run.key: one for one in level}
    since = min(_earliest(one.run) for one in level)
    conditions = [EVENT_ASSET.in_(sa.select(ASSET.c.id)), EVENT.c.timestamp >= moment_of(since)]
    for column, names in (
        (EVENT.c.source_dag_id, {key.dag_id for key in spoiled}),
        (EVENT.c.source_run_id, {key.run_id for key in spoiled}),
    ):
        if len(names) <= AT_ONCE:  # else those of other runs are left out below
            conditions.append(column.in_(sorted(names)))
    emitted = epoch(EVENT.c.timestamp, dialect(session)).label("emitted")
    columns = [EVENT.c.id, EVENT_ASSET.label("asset"), emitted]
    columns += [EVENT.c.source_dag_id, EVENT.c.source_run_id, EVENT.c.source_task_id]
    rows = session.execute(sa.select(*columns).where(*conditions).limit(MOST_EVENTS + 1)).all()
    if len(rows) > MOST_EVENTS:
        dag_ids = tuple(sorted({key.dag_id for key in spoiled}))
        text = f"Only {MOST_EVENTS:,} asset events of {', '.join(dag_ids)} were looked at. Ask for a shorter window."
        found.unknown.append(Unknown("too_many", text, dag_ids))
    own = ((row, spoiled.get(RunKey(row.source_dag_id, row.source_run_id))) for row in rows[:MOST_EVENTS])
    return {row.id: row for row, one in own if one and one.covers(row.source_task_id)}


def _earliest(run: Run) -> float:
    """Return a time before which a run emitted nothing. A cleared run starts anew, but is not due anew."""
    return min(moment for moment in (run.due, run.logical, run.started) if moment is not None)


def _names(session: Any, asset_ids: Collection[int]) -> dict[int, str]:
    rows = (
        session.execute(sa.select(ASSET.c.id, ASSET_NAME).where(ASSET.c.id.in_(some))) for some in chunks(asset_ids)
    )
    return {asset_id: str(name) for some in rows for asset_id, name in some}


def _not_consumed(
    session: Any, events: dict[int, Any], uses: dict[int, set[int]], consumers: dict[int, Run], names: dict[int, str]
) -> list[Unknown]:
    """Return the DAGs that are scheduled by an asset and have no run that got an event of it."""
    lacking: Counter[tuple[str, int]] = Counter()
    scheduled = _scheduled_by(session, {event.asset for event in events.values()})
    for event_id, event in events.items():
        got = {consumers[number].key.dag_id for number in uses.get(event_id, ()) if number in consumers}
        for dag_id, since in scheduled.get(event.asset, {}).items():
            if dag_id not in got and since <= event.emitted:
                lacking[dag_id, event.asset] += 1
    if not lacking:
        return []
    dag_ids, assets = sorted({dag_id for dag_id, _ in lacking}), sorted({asset for _, asset in lacking})
    waits = sa.select(EVENT_QUEUE.c.target_dag_id, QUEUED_ASSET).where(QUEUED_ASSET.in_(assets))
    queued = {(dag_id, asset) for dag_id, asset in session.execute(waits)}
    paused = set(session.execute(sa.select(DAG.c.dag_id).where(DAG.c.dag_id.in_(dag_ids), DAG.c.is_paused)).scalars())
    return [
        Unknown("not_consumed", _why(dag_id, asset, count, names, queued, paused), (dag_id,), count)
        for (dag_id, asset), count in lacking.items()
    ]


def _why(
    dag_id: str, asset: int, count: int, names: dict[int, str], queued: set[tuple[str, int]], paused: set[str]
) -> str:
    events = "1 event" if count == 1 else f"{count:,} events"
    begin = f"DAG {dag_id} has no run that got {events} of asset {names.get(asset, asset)}."
    if (dag_id, asset) in queued:
        return f"{begin} It waits for other assets before it runs."
    if dag_id in paused:
        return f"{begin} It is paused: Airflow drops such events, or its run was deleted."
    return f"{begin} Its run was deleted, or the DAG was paused then."


def _scheduled_by(session: Any, asset_ids: Collection[int]) -> dict[int, dict[str, float]]:
    """Return for each asset the DAGs that it schedules, and since when."""
    found: dict[int, dict[str, float]] = {}
    created = epoch(CONSUMER.c.created_at, dialect(session))
    for some in chunks(sorted(asset_ids)):
        query = sa.select(CONSUMER_ASSET, CONSUMER.c.dag_id, created).where(CONSUMER_ASSET.in_(some))
        for asset_id, dag_id, since in session.execute(query):
            found.setdefault(asset_id, {})[dag_id] = since
    return found
