"""All DAGs at a glance, as SQL: runs by state, failed tries and the time they cost, what is active now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import sqlalchemy as sa

from airflow_agari_provider.charts.outcomes import STANDS
from airflow_agari_provider.views.queries import tries as attempts
from airflow_agari_provider.views.queries.newest_runs import newest_tasks
from airflow_agari_provider.views.queries.overview_tries import (
    MOST_PAUSED,
    NO_TRY,
    PAUSED,
    Sum,
    Tries,
    counted,
    cut_off,
    newest_tries,
    of_window,
    old_tries,
    seconds_of_paused,
    sums,
)
from airflow_agari_provider.views.queries.tables import (
    BUNDLE_TEAM,
    DAG,
    HISTORY,
    INDEX,
    INSTANCE,
    NOT_REMOVED,
    RUN,
    RUN_AFTER,
    TAG,
    dialect,
    due_since,
    epoch,
    unindexed,
)

RUN_STATES = ("success", "failed", "running", "queued")
ACTIVE = ("running", "queued", "deferred")
# Another try followed or may follow.
OLD_FAILURES = old_tries(sa.or_(HISTORY.c.state == "failed", cut_off(HISTORY)))
FINAL_FAILURES = newest_tries(INSTANCE.c.state == "failed", by_state=True)  # they are few
CUT_OFF = newest_tries(cut_off(INSTANCE))  # of runs that failed, which are few too
FAILED = OLD_FAILURES, FINAL_FAILURES, CUT_OFF
ALL = old_tries(counted(HISTORY)), newest_tries(counted(INSTANCE), INSTANCE.c.start_date.is_not(None))


@dataclass(frozen=True)
class Runs:
    """Every DAG that has not been removed, and its runs; in dictionaries by the DAG's id."""

    dags: list[Any]
    tags: Mapping[str, list[str]]
    teams: Mapping[str, str]
    ever: Mapping[tuple[str, str], int]
    window: Mapping[tuple[str, str], int]
    last_run: Mapping[str, float]
    last_state: Mapping[str, str]
    active: Mapping[str, int]


@dataclass(frozen=True)
class Failures:
    """Failed tries of each DAG, how many of them were the last, the seconds that they ran, and when the first began."""

    tries: Mapping[str, int]
    final: Mapping[str, int]
    lost: Mapping[str, float]
    oldest: Mapping[str, float]


def overview(session: Any, since: float, now: float) -> dict[str, Any]:
    """
    Return one entry for each DAG that has not been removed.

    Both halves may be counted at the same time, each in a session of its own.

    :param since: only runs due then or later are in the window.
    """
    return of_halves(runs_of_all(session, since), failures_of_all(session, since, now), since)


def runs_of_all(session: Any, since: float) -> Runs:
    dags = _dags(session)
    ids = {dag_id for dag_id, *_ in dags}
    ever = _runs_ever(session)
    window, last_run, last_state = _runs_of_window(session, since)
    last_run |= _newest_runs(session, {dag_id for dag_id, _ in ever} & ids - set(last_run))
    active = dict(map(tuple, _active(session)))
    return Runs(dags, _tags(session), _teams(session), ever, window, last_run, last_state, active)


def failures_of_all(session: Any, since: float, now: float) -> Failures:
    old, *final_parts = (sums(session, tries, since, now) for tries in FAILED)
    final = [row for part in final_parts for row in part]
    lost = _seconds(session, FAILED, [*old, *final], since, now)
    oldest: dict[str, float] = {}
    for row in old:
        if row.first is not None:
            oldest[row.dag_id] = min(round(row.first, 3), oldest.get(row.dag_id, inf))
    tries = _counts(row for row in (*old, *final) if row.kind != NO_TRY)
    return Failures(tries, _counts(final), lost, oldest)


def of_halves(runs: Runs, failures: Failures, since: float) -> dict[str, Any]:
    ids = [dag_id for dag_id, *_ in runs.dags]
    return {
        "since": since,
        "dags": {
            "dag_id": ids,
            "display_name": [name or dag_id for dag_id, _, name, _ in runs.dags],
            "paused": [bool(paused) for _, paused, _, _ in runs.dags],
            "owners": [
                [owner.strip() for owner in (owners or "").split(",") if owner.strip()] for *_, owners in runs.dags
            ],
            "tags": [runs.tags.get(dag_id, []) for dag_id in ids],
            "team": [runs.teams.get(dag_id) for dag_id in ids],
            "last_run": [runs.last_run.get(dag_id) for dag_id in ids],
            "last_state": [runs.last_state.get(dag_id) for dag_id in ids],
            "ever": {state: [runs.ever.get((dag_id, state), 0) for dag_id in ids] for state in RUN_STATES},
            "window": {state: [runs.window.get((dag_id, state), 0) for dag_id in ids] for state in RUN_STATES},
            "failed_tries": [failures.tries.get(dag_id, 0) for dag_id in ids],
            "lost_seconds": [round(failures.lost.get(dag_id, 0.0), 3) for dag_id in ids],
            "failures": [failures.final.get(dag_id, 0) for dag_id in ids],
            "oldest_failed_try": [failures.oldest.get(dag_id) for dag_id in ids],
            "active": [runs.active.get(dag_id, 0) for dag_id in ids],
        },
    }


def task_time(session: Any, since: float, now: float) -> dict[str, Any]:
    """Return for each DAG of the window: task instances, how many Airflow retried, and the time of all their tries."""
    old, newest = (sums(session, tries, since, now) for tries in ALL)
    started = _counts(newest)
    total = _seconds(session, ALL, [*old, *newest], since, now)
    retried = dict(map(tuple, _retried(session, since)))
    newest_run = newest_tasks(session, since)
    ids = sorted(set(started) | set(total) | set(newest_run))
    return {
        "dags": {
            "dag_id": ids,
            "started": [started[dag_id] for dag_id in ids],
            "retried": [retried.get(dag_id, 0) for dag_id in ids],
            "total_seconds": [round(total[dag_id], 3) for dag_id in ids],
            "newest_run": {state: [newest_run[dag_id][state] for dag_id in ids] for state in STANDS},
        }
    }


def _counts(rows: Iterable[Sum]) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for row in rows:
        counts[row.dag_id] += row.number
    return counts


def _seconds(session: Any, parts: Collection[Tries], rows: Iterable[Sum], since: float, now: float) -> dict[str, float]:
    """
    Return for each DAG the seconds that its tries ran.

    Tries that may have waited are read one by one. If a DAG has too many of them, they count from start to end.
    """
    seconds: dict[str, float] = defaultdict(float)
    paused: dict[str, list[Sum]] = defaultdict(list)
    for row in rows:
        if row.kind == PAUSED:
            paused[row.dag_id].append(row)
        elif row.kind != NO_TRY:
            seconds[row.dag_id] += row.seconds
    for dag_id, those in paused.items():
        few = sum(row.number for row in those) <= MOST_PAUSED
        ran = seconds_of_paused(session, dag_id, parts, since, now) if few else sum(row.seconds for row in those)
        seconds[dag_id] += ran
    return seconds


def _dags(session: Any) -> list[Any]:
    query = sa.select(DAG.c.dag_id, DAG.c.is_paused, DAG.c.dag_display_name, DAG.c.owners)
    return list(session.execute(query.where(NOT_REMOVED).order_by(DAG.c.dag_id)))


def _tags(session: Any) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = defaultdict(list)
    for dag_id, name in session.execute(sa.select(TAG.c.dag_id, TAG.c.name).order_by(TAG.c.name)):
        tags[dag_id].append(name)
    return tags


def _teams(session: Any) -> dict[str, str]:
    """Return the team of each DAG that has one; Airflow 2.11 and 3.1 know no teams."""
    if BUNDLE_TEAM is None:
        return {}
    teams = DAG.join(BUNDLE_TEAM, BUNDLE_TEAM.c.dag_bundle_name == DAG.c.bundle_name)
    return dict(map(tuple, session.execute(sa.select(DAG.c.dag_id, BUNDLE_TEAM.c.team_name).select_from(teams))))


def _runs_ever(session: Any) -> dict[tuple[str, str], int]:
    """Return the number of runs for each (DAG, state); the index on both columns, without dates, answers this."""
    query = sa.select(RUN.c.dag_id, RUN.c.state, sa.func.count()).group_by(RUN.c.dag_id, RUN.c.state)
    return {(dag_id, state): count for dag_id, state, count in session.execute(query)}


def _runs_of_window(session: Any, since: float) -> tuple[dict[tuple[str, str], int], dict[str, float], dict[str, str]]:
    """Return the number of runs for each (DAG, state), when the newest run of each DAG was due, and its state."""
    database = dialect(session)
    keys = [unindexed(column, database) for column in (RUN.c.dag_id, RUN.c.state)]
    query = sa.select(RUN.c.dag_id, RUN.c.state, sa.func.count(), epoch(sa.func.max(RUN_AFTER), database))
    counts: dict[tuple[str, str], int] = {}
    newest: dict[str, float] = {}
    states: dict[str, str] = {}
    for dag_id, state, count, last in session.execute(query.where(due_since(since)).group_by(*keys)):
        counts[dag_id, state] = count
        if last > newest.get(dag_id, 0.0):
            newest[dag_id], states[dag_id] = round(last, 3), state
    return counts, newest, states


def _newest_runs(session: Any, dag_ids: Collection[str]) -> dict[str, float]:
    """Return when the newest run of each DAG was due."""
    if not dag_ids:
        return {}
    newest = epoch(sa.func.max(RUN_AFTER), dialect(session))
    query = sa.select(RUN.c.dag_id, newest).where(RUN.c.dag_id.in_(sorted(dag_ids))).group_by(RUN.c.dag_id)
    return {dag_id: round(last, 3) for dag_id, last in session.execute(query)}


def first_run(session: Any, dag_ids: Collection[str]) -> float | None:
    """Return when the first run of any of the DAGs was due. The index on dates answers this with its first rows."""
    database = dialect(session)
    query = sa.select(epoch(RUN_AFTER, database)).where(unindexed(RUN.c.dag_id, database).in_(dag_ids))
    first = session.execute(query.order_by(RUN_AFTER).limit(1)).scalar()
    return None if first is None else round(first, 3)


def _active(session: Any) -> Iterable[Any]:
    """Return (DAG, number of task instances that are active now)."""
    # not count(*): for that, SQLite would read all newest tries in an index of 3.4 that has no other columns
    count = sa.func.count(INSTANCE.c.try_number)
    query = sa.select(INSTANCE.c.dag_id, count).where(INSTANCE.c.state.in_(ACTIVE))
    return list(session.execute(query.group_by(unindexed(INSTANCE.c.dag_id, dialect(session)))))


def _retried(session: Any, since: float) -> Iterable[Any]:
    """Return (DAG, number of task instances that Airflow retried by itself): see ``repeated_by_itself``."""
    database = dialect(session)
    again = (
        sa.select(*(HISTORY.c[name] for name in INDEX))
        .select_from(RUN.join(HISTORY, of_window(HISTORY, database)).join(INSTANCE, attempts.repeated_by_itself()))
        .where(due_since(since))
        .distinct()
        .subquery()
    )
    return list(session.execute(sa.select(again.c.dag_id, sa.func.count()).group_by(again.c.dag_id)))
