"""Set the SLAs of a DAG, on Airflow 2.11 and 3."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from itertools import islice
from typing import Any, Literal

from airflow_agari_provider.airflow_compat import CronDataIntervalTimetable, is_mapped
from airflow_agari_provider.airflow_deadlines import (
    DAGS_HAVE_DEADLINES,
    HistoryDeadline,
    VariableDeadline,
    deadline_alert,
    makes_runs_without_a_date,
)
from airflow_agari_provider.alerts.history import FromHistory
from airflow_agari_provider.alerts.miss import Scope
from airflow_agari_provider.alerts.quiet_hours import quiet_hours
from airflow_agari_provider.alerts.sla import Watch, WhenFailed, due_after
from airflow_agari_provider.alerts.sla_payload import payload
from airflow_agari_provider.alerts.time_of_day import time_of_day_text
from airflow_agari_provider.alerts.variable_sla import FromVariable
from airflow_agari_provider.notifications.sla_miss_notifier import environment_or_default
from airflow_agari_provider.slas.arguments import (
    DAG_RUN,
    Sla,
    check,
    check_digest,
    check_incident,
    check_quiet,
)
from airflow_agari_provider.slas.deadline_callback import ON_DEADLINE
from airflow_agari_provider.slas.recovery_callback import OnSuccess
from airflow_agari_provider.slas.routing import Alerts, Route, routes_of
from airflow_agari_provider.slas.sla_miss_callback import OnSlaMiss

logger = logging.getLogger(__name__)


def set_slas(
    dag: Any,
    slas: Mapping[str, Sla],
    *,
    alerts: Alerts | Mapping[str, Alerts] | Callable[[str], Alerts],
    claims: str | None = None,
    reference: Literal["queued_at", "logical_date"] = "queued_at",
    environment: str | None = None,
    incident: Scope = "task",
    when_failed: WhenFailed = "page",
    manual: bool = True,
    backfill: bool = False,
    digest: timedelta | None = None,
    quiet: Sequence[str] = (),
) -> None:
    """
    Give tasks, and the run, an SLA. Call it after all tasks of the DAG are defined.

    A task that is not done when its SLA is over is reported once, and once more when it finishes.

    :param dag: the DAG object; with ``@dag``, what the decorated function returned.
    :param slas: task id, or ``DAG_RUN``: time within which it has to be done; or time of day (in the DAG's time zone if
        it has none), the first one after the run's planned start; or ``FromHistory(...)``: what earlier runs took,
        times a factor; or ``FromVariable(...)``: what an Airflow Variable says. The last two need ``claims``, and the
        last three Airflow 2.11, or 3.2.
    :param alerts: what to send: notifiers, or ``SlaAlert``s for escalations, fallbacks and other notifiers' recoveries.
        To send each SLA's where they belong: a mapping of ``owner:<name>``, ``tag:<name>``, ``task:<id>`` (names may
        have ``*`` and ``?``) and ``*`` (all others) to such lists, of which the first that fits counts; or a function
        that takes a task id or ``DAG_RUN``, and returns such a list.
    :param claims: ``sql:<conn_id>``: a PostgreSQL, MySQL, MariaDB or SQLite in which processes agree who sends, so that
        each alert is sent once. ``None``: a VictorOps incident stays one, other alerts may be sent twice, and Slack
        gets no recoveries.
    :param reference: on Airflow 3, where the time counts from; on 2.11 it counts from the end of the data interval.
    :param environment: stands before every text, and in incidents' ids; ``[agari] environment`` by default.
    :param incident: what shares one incident of VictorOps, which is closed when nothing in it is late any more: a
        ``task`` of a run; a ``run`` or a ``dag``, which need ``claims``.
    :param when_failed: if it cannot finish, because it or a task before it failed: ``page`` as for any miss,
        ``downgrade`` CRITICAL to WARNING, or ``skip`` the alert.
    :param manual: watch runs that a person started (Airflow 3; 2.11 never does).
    :param backfill: watch runs of a backfill.
    :param digest: if many tasks of the DAG miss their SLAs within this time, up to half an hour, only the first miss is
        sent at once, and the rest in one message this long after it; needs ``claims``. Alerts that open incidents are
        sent one by one: VictorOps (see ``incident``), and alerts with a ``recovery``.
    :param quiet: hours of each week in which no miss is told, in the DAG's time zone if they name none, such as
        ``["Sun 02:00-06:00"]``; what is still late when they end is told then. Needs ``claims``.
    :raises ValueError: an unknown task, or an argument that is none of the above.
    :raises TypeError: an SLA that is not a time, or an alert that is none.
    """
    check(dag, slas, claims, reference, incident, when_failed)
    check_digest(dag, claims, digest)
    check_quiet(dag, claims, quiet)
    routes = routes_of(dag, slas, alerts, claims)
    check_incident(dag, claims, incident)
    ids = list(dag.task_ids)
    mapped = [task.task_id for task in dag.tasks if _is_mapped(task)]
    common = Watch(
        task_id=None,
        dag_id=dag.dag_id,
        sla=0,
        alerts=[],
        claims=claims or "",
        environment=environment_or_default(environment),
        digest=digest.total_seconds() if digest else 0,
        incident=incident,
        when_failed=when_failed,
        reference=reference if DAGS_HAVE_DEADLINES else "planned",
        silent_for=[*([] if manual and DAGS_HAVE_DEADLINES else ["manual"]), *([] if backfill else ["backfill"])],
        mapped=mapped,
        quiet=quiet_hours(quiet, time_of_day_text(time(), dag.timezone)[len("00:00:00") :].strip()) if quiet else [],
        lookalikes=[name for name in ids if re.sub(r"_\d+$", "", name) in mapped and name not in mapped],
    )
    watches = [_watch(dag, common, name, slas, routes) for name in slas]
    if DAGS_HAVE_DEADLINES:
        _set_deadlines(dag, watches, reference)
    else:
        _set_sla_misses(dag, watches)
    for watch in watches:
        if watch.task_id is None:
            _append_callback(dag, "on_success_callback", OnSuccess(watch))
            continue
        for event in ("on_success_callback", "on_skipped_callback"):
            _append_callback(dag.get_task(watch.task_id), event, OnSuccess(watch))
    if DAG_RUN in slas:
        dag.has_on_success_callback = True  # computed when the DAG was made


def _watch(
    dag: Any,
    common: Watch,
    name: str,
    slas: Mapping[str, Sla],
    routes: Mapping[str, Route],
) -> Watch:
    sla = slas[name]
    common = replace(common, alerts=routes[name].specifications)
    if isinstance(sla, time):
        common = replace(common, by=time_of_day_text(sla, dag.timezone))
    elif isinstance(sla, FromHistory):
        common = replace(common, sla=sla.floor.total_seconds(), history=sla.text)
    elif isinstance(sla, FromVariable):
        common = replace(common, sla=sla.floor.total_seconds(), variable=sla.text)
    else:
        common = replace(common, sla=sla.total_seconds())
    if name == DAG_RUN:
        return replace(
            common, owner=", ".join(sorted({task.owner for task in dag.tasks})), carriers=_carriers(dag, dag.leaves)
        )
    task = dag.get_task(name)
    upstream = sorted({name, *task.get_flat_relative_ids(upstream=True)})
    # A failure is told elsewhere only if it is told to everybody who would be told of this task
    told_alike = [other for other in slas if routes[other].destinations >= routes[name].destinations]
    causes = [other for other in told_alike if other == DAG_RUN or (other in upstream and other != name)]
    later = [other for other in causes if _is_not_over_before(slas[other], sla)]
    following = [task, *(dag.get_task(other) for other in sorted(task.get_flat_relative_ids(upstream=False)))]
    return replace(
        common,
        task_id=name,
        owner=task.owner,
        upstream=upstream,
        reported_later=[_id(other) for other in later],
        reported_earlier=[_id(other) for other in causes if other not in later],
        carriers=_carriers(dag, following)[:1],
    )


def _is_not_over_before(other: Sla, sla: Sla) -> bool:
    """Whether it is certain that an SLA of a run is not over before another one."""
    if isinstance(other, timedelta) and isinstance(sla, timedelta):
        return other >= sla
    # Which of two times of day comes first depends on when the run starts
    return isinstance(sla, time) and other == sla


def _id(name: str) -> str | None:
    return None if name == DAG_RUN else name


def _carriers(dag: Any, tasks: Sequence[Any]) -> list[str]:
    """Tasks whose SLA Airflow 2.11 checks in the place of others: it checks none of a mapped task."""
    return [task.task_id for task in tasks if not _is_mapped(task)]


def _is_mapped(task: Any) -> bool:
    return is_mapped(task) or any(task.iter_mapped_task_groups())


def _set_deadlines(dag: Any, watches: Sequence[Watch], reference: str) -> None:
    if sys.argv[1:3] == ["dags", "test"]:
        # It has no scheduler, and fails for every DAG with a deadline: apache/airflow#73428
        logger.warning("%s: `airflow dags test` watches no SLAs", dag.dag_id)
        return
    if (
        reference == "logical_date"
        and makes_runs_without_a_date(dag.timetable)
        and not all(one.by or one.history for one in watches)
    ):
        logger.warning(
            "%s: by its schedule, runs may have no logical date (for assets, for partitions, or triggered without "
            "one). With reference='logical_date' the SLAs of such runs are not watched. Give reference='queued_at'.",
            dag.dag_id,
        )
    present = dag.deadline or []
    dag.deadline = [
        *(present if isinstance(present, list | tuple) else [present]),
        *(
            deadline_alert(
                _deadline_reference(watch, reference),
                timedelta(seconds=(0 if watch.differs else watch.sla) + after),
                ON_DEADLINE,
                {"watch": payload(watch.step(after), dag.task_ids)},
                watch.step(after).name,
            )
            for watch in watches
            for after in watch.steps
        ),
    ]


def _deadline_reference(watch: Watch, reference: str) -> str | HistoryDeadline | VariableDeadline:
    if watch.history:
        return HistoryDeadline(watch.task_id or "", watch.history)
    return VariableDeadline(watch.variable, reference) if watch.variable else watch.by or reference


def _set_sla_misses(dag: Any, watches: Sequence[Watch]) -> None:
    ours = dag.sla_miss_callback
    if ours and not isinstance(ours, OnSlaMiss):
        raise ValueError(f"{dag.dag_id} has an sla_miss_callback already. Remove it, and give set_slas its alert.")
    for watch in watches:
        if not watch.carriers:
            raise ValueError(
                f"{dag.dag_id}: Airflow 2.11 checks no SLA of a mapped task, and there is no task that is not mapped "
                f"{f'after {watch.task_id}' if watch.task_id else 'at the end of the run'}. Add an EmptyOperator there."
            )
        for carrier in watch.carriers:
            task, sla = dag.get_task(carrier), _shortest(dag, watch)
            if task.sla and task.sla != sla and not watch.claims:
                raise ValueError(f"{dag.dag_id}: two SLAs checked at {carrier} need claims= on Airflow 2.11.")
            task.sla = min(task.sla or sla, sla)
    dag.sla_miss_callback = OnSlaMiss([*(ours.watches if ours else []), *watches])


def _shortest(dag: Any, watch: Watch) -> timedelta:
    """
    How long Airflow 2.11 waits at least before it looks: it knows no times of day, and the callback can wait longer.

    For a DAG whose runs begin at fixed times of day, at most about once a day, this is the shortest time from a planned
    start to its time of day; for any other DAG, one second.
    """
    if not watch.by:
        return timedelta(seconds=watch.sla)
    least = timedelta(seconds=1)  # Airflow takes an SLA of zero for no SLA
    if not isinstance(dag.timetable, CronDataIntervalTimetable):
        return least
    now, week = datetime.now(UTC), timedelta(days=7)
    runs = list(islice(dag.iter_dagrun_infos_between(now - week, now + week), 20))
    if not 0 < len(runs) < 20:
        return least
    ends = [datetime.fromtimestamp(run.data_interval.end.timestamp(), UTC) for run in runs]  # not pendulum's
    return max(least, min(due_after(watch, end) - end for end in ends))


def _append_callback(place: Any, event: str, callback: OnSuccess) -> None:
    present = getattr(place, event) or []
    setattr(place, event, [*(present if isinstance(present, list | tuple) else [present]), callback])
