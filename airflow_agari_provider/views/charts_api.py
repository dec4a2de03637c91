"""Build the answers of the charts' API from the metadata database; both web servers call this module."""

from __future__ import annotations

from collections.abc import Collection
from itertools import takewhile
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from airflow_agari_provider.charts.days import STATES, days_of
from airflow_agari_provider.charts.outcomes import WAITING_STATES
from airflow_agari_provider.charts.payload import FINISHED, DagTries, answer, figures_before
from airflow_agari_provider.charts.rows import (
    DEFERRED,
    MAP_INDEX,
    OPERATOR,
    REQUEUED,
    STATE,
    TASK,
    PlainTryRow,
    RunRow,
    TaskFacts,
)
from airflow_agari_provider.charts.tries import AGAIN, PlainTry, tries_of
from airflow_agari_provider.charts.window import RunWindow, purged_before, tries_missing
from airflow_agari_provider.views import parameters
from airflow_agari_provider.views.parameters import DaysQuestion, OverviewQuestion, TriesQuestion
from airflow_agari_provider.views.queries import dag_facts, dag_runs, overview
from airflow_agari_provider.views.queries import days as day_queries
from airflow_agari_provider.views.queries import pauses as waits
from airflow_agari_provider.views.queries import tries as attempts

DAY, HOUR = 86400.0, 3600.0
DAYS_SHOWN = 366


def dag_tries(session: Any, dag_id: str, question: TriesQuestion, now: float) -> dict[str, Any]:
    """Return the answer to ``GET api/dags/<dag_id>/tries``."""
    chosen = dag_runs.chosen_runs(dag_id, question.run_types, question.run_states, question.since, question.until)
    shown, earlier = _runs(session, dag_id, chosen, question)
    facts = dag_facts.task_facts(session, dag_id)
    rows, tries = _tries(session, dag_id, shown, question, facts, now)
    before = None
    if len(earlier) == question.runs:
        rows_before, tries_before = _tries(session, dag_id, earlier, question, facts, now)
        before = figures_before(tries_before, earlier, _repeated(session, dag_id, rows_before, tries_before))
    return answer(
        DagTries(
            dag_id,
            _window(session, dag_id, chosen, shown, question, _purged_before(session, dag_id, shown, rows, facts)),
            tries,
            _repeated(session, dag_id, rows, tries),
            {row[TASK]: row[OPERATOR] for row in rows},
            facts,
            dag_facts.deadlines(session, dag_id, shown),
            before,
            attempts.blocked(session, dag_id, [run.run_id for run in shown], question.task_ids) if shown else [],
            dag_facts.display_name(session, dag_id),
        )
    )


def _runs(session: Any, dag_id: str, chosen: Any, question: TriesQuestion) -> tuple[list[RunRow], list[RunRow]]:
    """Return the runs to show and, if asked for, as many before them to compare with; each the oldest first."""
    count = question.runs
    if question.after is None:
        if question.before is not None:
            chosen = sa.and_(chosen, dag_runs.beyond(session, dag_id, question.before, newer=False))
        found = dag_runs.runs(session, chosen, 2 * count if question.compare else count)
        return found[-count:], found[:-count]
    shown = dag_runs.runs(
        session, sa.and_(chosen, dag_runs.beyond(session, dag_id, question.after, newer=True)), count, oldest=True
    )
    if not shown or not question.compare:
        return shown, []
    earlier = dag_runs.beyond(session, dag_id, shown[0].position, newer=False)
    return shown, dag_runs.runs(session, sa.and_(chosen, earlier), count)


def _tries(
    session: Any, dag_id: str, runs: list[RunRow], question: TriesQuestion, facts: dict[str, TaskFacts], now: float
) -> tuple[list[PlainTryRow], list[PlainTry]]:
    """Return the rows as the database has them, and the tries with their outcomes."""
    run_ids = [run.run_id for run in runs]
    longest = question.mapped == "longest"
    by_index = bool(facts) and not any(fact.mapped for fact in facts.values())
    rows = attempts.tries(session, dag_id, run_ids, question.task_ids, now, by_index=by_index, longest=longest)
    known = {row[TASK] for row in rows}
    paused, reschedules, in_triggers = waiting_tasks(session, dag_id, rows, facts)
    if not paused:
        return rows, tries_of(rows, now, longest=longest, single=known if by_index else (), runs=runs)
    mapped = sorted({row[TASK] for row in rows if row[TASK] in paused and row[MAP_INDEX] >= 0})
    if mapped and not by_index:
        rows = [row for row in rows if row[TASK] not in mapped]
        rows += attempts.tries(session, dag_id, run_ids, mapped, now, by_index=True)
    logged = waits.logged(session, dag_id, run_ids, sorted(paused), reschedules, in_triggers)
    single = known if by_index else mapped
    return rows, tries_of(rows, now, longest=longest, single=single, paused=paused, waits=logged, runs=runs)


def waiting_tasks(
    session: Any, dag_id: str, rows: list[PlainTryRow], facts: dict[str, TaskFacts]
) -> tuple[set[str], set[str], set[str]]:
    """Return the tasks that wait without a worker; of these, the rescheduled ones, and those that begin in triggers."""
    known = {row[TASK] for row in rows} & set(facts)
    reschedules = {task_id for task_id in known if facts[task_id].reschedules}
    in_triggers = {task_id for task_id in known if facts[task_id].in_trigger}
    paused = {row[TASK] for row in rows if row[REQUEUED] or row[DEFERRED] or row[STATE] in WAITING_STATES}
    paused |= waits.ended_by_triggers(session, dag_id, rows) | reschedules | in_triggers
    return paused, reschedules, in_triggers


def _repeated(session: Any, dag_id: str, rows: list[PlainTryRow], tries: list[PlainTry]) -> dict[str, dict[str, int]]:
    """Return for each mapped task and run how many indexes Airflow retried by itself; the sums do not show it."""
    found: dict[str, dict[str, int]] = {row[TASK]: {} for row in rows if row[MAP_INDEX] >= 0}
    again = [one for one in tries if one[AGAIN] and one[TASK] in found] if found else []
    if again:
        run_ids, task_ids = sorted({one[0] for one in again}), sorted({one[1] for one in again})
        for task_id, run_id, count in attempts.repeated(session, dag_id, run_ids, task_ids):
            found[task_id][run_id] = count
    return found


def _window(
    session: Any, dag_id: str, chosen: Any, runs: list[RunRow], question: TriesQuestion, purged: float | None
) -> RunWindow:
    total = dag_runs.count_runs(session, chosen)
    if question.before is None and question.after is None:
        newer = 0
    elif runs:
        later = dag_runs.beyond(session, dag_id, runs[-1].position, newer=True)
        newer = dag_runs.count_runs(session, sa.and_(chosen, later))
    else:
        newer = total if question.before is not None else 0
    filters = question.run_types, question.run_states, question.since, question.until
    return RunWindow(runs, total, newer, purged, any(one not in (None, ()) for one in filters))


def _purged_before(
    session: Any, dag_id: str, runs: list[RunRow], rows: list[PlainTryRow], facts: dict[str, TaskFacts]
) -> float | None:
    """Return when the newest run was due that seems to have lost old tries or all task instances; None: no run."""
    missing = tries_missing(rows)
    if missing:
        missing -= attempts.never_started(session, dag_id, sorted({run_id for run_id, _ in missing}))
    old_tries = purged_before(rows, missing, {run.run_id: run.run_after for run in runs})
    emptied = _emptied_runs(session, dag_id, runs, {row[0] for row in rows}) if facts else []
    return max((due for due in (old_tries, *(run.run_after for run in emptied)) if due is not None), default=None)


def _emptied_runs(session: Any, dag_id: str, runs: list[RunRow], ran: Collection[str]) -> list[RunRow]:
    """
    Return the finished ones of the oldest runs, up to the first run that has a task instance.

    ``airflow db clean`` removes by date, so only the oldest runs can have lost theirs.
    """
    oldest = list(takewhile(lambda run: run.run_id not in ran, runs))
    there = attempts.runs_with_instances(session, dag_id, [run.run_id for run in oldest]) if oldest else ()
    return [run for run in takewhile(lambda run: run.run_id not in there, oldest) if run.state in FINISHED]


def dag_days(session: Any, dag_id: str, question: DaysQuestion, now: float) -> dict[str, Any]:
    """Return the answer to ``GET api/dags/<dag_id>/days``."""
    until = (now + DAY) // HOUR * HOUR if question.until is None else question.until
    since = max(0.0, until - DAYS_SHOWN * DAY) if question.since is None else question.since
    since = max(since, until - parameters.MOST_DAYS * DAY)
    chosen = dag_runs.chosen_runs(dag_id, since=since, until=until)
    failed = day_queries.failed_tries(session, dag_id, chosen, now)
    days = days_of(day_queries.runs_by_quarter(session, chosen), failed or (), ZoneInfo(question.zone))
    return {
        "dag_id": dag_id,
        "since": since,
        "until": until,
        "time_zone": question.zone,
        "days": {
            "date": [day.date for day in days],
            "start": [day.start for day in days],
            "end": [day.end for day in days],
            "runs": {state: [day.runs[state] for day in days] for state in STATES},
            "failed_tries": [None if failed is None else day.failed_tries for day in days],
            "lost_seconds": [None if failed is None else round(day.lost, 3) for day in days],
        },
    }


def all_dags(session: Any, question: OverviewQuestion, now: float) -> dict[str, Any]:
    """Return ``GET api/overview`` for all DAGs: show a reader only the ``permitted_part``, with its ``first_run``."""
    return {"days": question.days, **overview.overview(session, since_of(question, now), now)}


def all_task_time(session: Any, question: OverviewQuestion, now: float) -> dict[str, Any]:
    """Return ``GET api/overview/task_time`` for all DAGs: show a reader only the ``permitted_part``."""
    return {"days": question.days, **overview.task_time(session, since_of(question, now), now)}


def permitted_part(found: dict[str, Any], permitted: Collection[str]) -> dict[str, Any]:
    """
    Return what a reader may see of an overview, or of its task time.

    :param permitted: ids of the DAGs that they may read.
    """
    shown = [at for at, dag_id in enumerate(found["dags"]["dag_id"]) if dag_id in permitted]
    return {**found, "dags": _chosen(found["dags"], shown)}


def _chosen(columns: dict[str, Any], shown: list[int]) -> dict[str, Any]:
    """Return all columns with only the values at some indexes; a column may itself be a dict of columns."""
    return {
        name: _chosen(column, shown) if isinstance(column, dict) else [column[at] for at in shown]
        for name, column in columns.items()
    }


def since_of(question: OverviewQuestion, now: float) -> float:
    """Return the window's start, rounded down to the hour: an answer without news stays the same and gets a 304."""
    return (now - question.days * DAY) // HOUR * HOUR
