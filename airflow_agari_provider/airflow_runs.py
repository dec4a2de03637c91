"""What Airflow knows about a run and its tasks: their states, dates and web pages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote, urlsplit

from airflow_agari_provider.airflow_compat import AIRFLOW_3, conf, timezone
from airflow_agari_provider.alerts.context_facts import told_moment
from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.sweeper import RunAsItIs
from airflow_agari_provider.alerts.task_states import tasks_in_states
from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.scoring.job_owner import JobOwner
from airflow_agari_provider.scoring.task_run import TaskRun, generation_of

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")

ANSWERS_EVERYWHERE = not AIRFLOW_3  # 2.11 reads its database; Airflow 3 answers tasks and triggers only
CLOCK_SLACK = timedelta(days=1)  # how much older than its run a job may look, because clocks differ
# Airflow's default, and addresses that a server listens on: links to them lead nowhere. A person who writes 127.0.0.1
# means their own machine, as the demo does.
_NOWHERE = frozenset({None, "", "localhost", "0.0.0.0", "::"})  # noqa: S104 - no server listens here
_warned_of: set[str] = set()


def _session_of_its_own() -> Any:
    """
    On Airflow 2.11: open a new session, only to read; the caller closes it.

    ``create_session`` would return the session that Airflow itself uses in this thread. An error in a callback, or the
    callback's end, would then remove Airflow's own rows from it, such as recorded SLA misses.
    """
    from airflow import settings
    from sqlalchemy.orm import Session

    return Session(settings.engine)


def is_deferred(task_instance: Any) -> bool:
    """
    Whether a task is still deferred; blocks. For the triggers of Airflow before 3.3.

    If a trigger is cancelled while its task is still deferred, it moves to another triggerer. Otherwise a person has
    killed or cleared the task.
    """
    ti = task_instance
    return task_state(ti.dag_id, ti.run_id, ti.task_id, ti.map_index) == "deferred"


def task_state(dag_id: str, run_id: str, task_id: str, map_index: int) -> str | None:
    """
    Return the state of a task instance; blocks. ``none``: it has no state yet, or was cleared. None: there is none.

    On Airflow 3 only tasks and triggers can ask.
    """
    if AIRFLOW_3:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        states = RuntimeTaskInstance.get_task_states(
            dag_id=dag_id, map_index=map_index, task_ids=[task_id], run_ids=[run_id]
        )
        return next((str(state).lower() for state in states.get(run_id, {}).values()), None)
    from airflow.models.taskinstance import TaskInstance

    this_one = {"dag_id": dag_id, "task_id": task_id, "run_id": run_id, "map_index": map_index}
    with _session_of_its_own() as session:
        found = session.query(TaskInstance.state).filter_by(**this_one).one_or_none()
        return None if found is None else str(found[0]).lower()


def state_of_owner(owner: JobOwner) -> str | None:
    """Return the state of the task instance that a Spark job belongs to; as :func:`task_state`."""
    return task_state(owner.dag_id, owner.run_id, owner.task_id, owner.map_index)


def read_run(dag_id: str, run_id: str) -> tuple[str, Mapping[str, str | None] | list[TaskInState]]:
    """
    Return the state of a run, and of its task instances; blocks. On Airflow 3 only tasks and triggers can ask.

    Airflow 3 gives a dict of states, whose key joins a mapped task's id and its index; 2.11 gives task instances.
    """
    if AIRFLOW_3:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        states = RuntimeTaskInstance.get_task_states(dag_id=dag_id, run_ids=[run_id]).get(run_id, {})
        run_state = RuntimeTaskInstance.get_dagrun_state(dag_id, run_id)
        return str(run_state), states
    from airflow.models.dagrun import DagRun

    with _session_of_its_own() as session:
        run = session.query(DagRun).filter_by(dag_id=dag_id, run_id=run_id).one()
        tasks = [
            TaskInState(
                ti.task_id,
                str(ti.state) if ti.state else None,
                ti.map_index,
                ti.try_number,
                since=ti.start_date,
                until=ti.end_date,
            )
            for ti in run.get_task_instances(session=session)
        ]
        return str(run.state), tasks


def run_exists(dag_id: str, run_id: str) -> bool:
    """Whether Airflow has a run; blocks. On Airflow 3 only tasks and triggers can ask."""
    if AIRFLOW_3:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        return bool(RuntimeTaskInstance.get_dr_count(dag_id=dag_id, run_ids=[run_id]))
    from airflow.models.dagrun import DagRun

    with _session_of_its_own() as session:
        return session.query(DagRun.id).filter_by(dag_id=dag_id, run_id=run_id).first() is not None


class RunNotCreated(AgariError):
    """
    The run that a recorded SLA miss is about does not exist yet, and may still be created.

    :param recorded: ``execution_date`` of the ``SlaMiss``.
    """

    def __init__(self, dag_id: str, recorded: datetime) -> None:
        super().__init__(dag_id, recorded)
        self.dag_id, self.recorded = dag_id, recorded

    def __str__(self) -> str:
        return f"DAG {self.dag_id} has no run before {self.recorded} yet; Airflow may still create it."


def late_run(dag: Any, recorded: datetime) -> Mapping[str, Any] | None:
    """
    On Airflow 2.11: find the run that a recorded SLA miss is about; ``None`` if there will never be such a run.

    2.11 records a miss under the logical date of the run after the late one, and may do so before the late run exists:
    its check does not wait for the scheduler, nor for ``max_active_runs``.

    :param recorded: ``execution_date`` of the ``SlaMiss``.
    :return: ``run_id``, ``logical_date``, ``run_type``, and ``planned``: the end of its data interval.
    :raises RunNotCreated: neither this run nor any run after it exists yet.
    """
    from airflow.models.dagrun import DagRun

    with _session_of_its_own() as session:
        automatic = session.query(DagRun).filter(
            DagRun.dag_id == dag.dag_id, DagRun.run_type.in_(("scheduled", "backfill"))
        )
        run = automatic.filter(DagRun.execution_date < recorded).order_by(DagRun.execution_date.desc()).first()
        if run is not None:
            interval = dag.get_run_data_interval(run)
            following = dag.next_dagrun_info(interval, restricted=False)
            if following is not None and following.logical_date == recorded:
                found = {"run_id": run.run_id, "logical_date": run.execution_date, "run_type": str(run.run_type)}
                return {**found, "planned": interval.end}
        if automatic.filter(DagRun.execution_date >= recorded).first() is None:
            raise RunNotCreated(dag.dag_id, recorded)
        return None  # a later run exists, and runs are created in order: this one was skipped, as after a pause


def ask_database(work: Callable[[Any], Answer]) -> Answer:
    """
    Read something of Airflow's database, in a session of its own. :param work: takes the session.

    On Airflow 3 this is for its servers and the command line; a task has no access.
    """
    with _session_of_its_own() as session:
        return work(session)


def base_url() -> tuple[str, str]:
    """Address of Airflow's web pages, without a slash at its end, and the name of the option it comes from."""
    section = "api" if AIRFLOW_3 else "webserver"
    return conf.get(section, "base_url", fallback="http://localhost:8080").rstrip("/"), f"[{section}] base_url"


def web_url(dag_id: str, run_id: str, task_id: str | None = None, map_index: int = -1, try_number: int = 0) -> str:
    """Address of the page of a run, or of a task instance in it."""
    base, _ = base_url()
    run = quote(run_id, safe="")
    if AIRFLOW_3:
        task = f"/tasks/{task_id}" if task_id else ""
        mapped = f"/mapped/{map_index}" if map_index >= 0 else ""
        return f"{base}/dags/{dag_id}/runs/{run}{task}{mapped}" + (f"?try_number={try_number}" if try_number else "")
    task = f"&task_id={task_id}&tab=logs" if task_id else ""
    mapped = f"&map_index={map_index}" if map_index >= 0 else ""
    return f"{base}/dags/{dag_id}/grid?dag_run_id={run}{task}{mapped}"


def link(dag_id: str, run_id: str, task: TaskInState | None = None) -> str:
    """Address of a run's or a task instance's page; empty, with one warning, if the configuration names none."""
    base, option = base_url()
    if urlsplit(base).hostname in _NOWHERE:
        if base not in _warned_of:
            _warned_of.add(base)
            logger.warning("Alerts are sent without links, because these would lead to %r. Set %s.", base, option)
        return ""
    if task is None:
        return web_url(dag_id, run_id)
    return web_url(dag_id, run_id, task.task_id, task.map_index, task.try_number or 0)


def tasks_of_run(
    dag_id: str, run_id: str, mapped: Sequence[str] = (), others: Sequence[str] = ()
) -> tuple[str, list[TaskInState]]:
    """
    Return the state of a run, and its task instances; blocks.

    :param mapped: ids of its mapped tasks, which Airflow 3 does not tell.
    :param others: as in :func:`~airflow_agari_provider.alerts.task_states.tasks_in_states`.
    """
    run_state, found = read_run(dag_id, run_id)
    return run_state, tasks_in_states(found, mapped, others) if isinstance(found, Mapping) else found


def run_as_it_is(dag_id: str, run_id: str, mapped: Sequence[str] = (), others: Sequence[str] = ()) -> RunAsItIs | None:
    """Return a run and its tasks, or ``None``: what :class:`~airflow_agari_provider.alerts.sweeper.Runs` asks for."""
    try:
        return RunAsItIs(*tasks_of_run(dag_id, run_id, mapped, others))
    except Exception:  # of a supervisor, an API server or a database; or there is no such run
        if run_exists(dag_id, run_id):
            raise
        return None


def task_name(ti: Any) -> str:
    """Id of a task; with its index if it is mapped."""
    map_index = getattr(ti, "map_index", -1)
    return str(ti.task_id) if map_index is None or map_index < 0 else f"{ti.task_id}[{map_index}]"


def run_date(run: Any) -> datetime | None:
    """
    Logical date of a run. If it has none, when it was due: runs of an asset have none, nor manual runs on Airflow 3.

    :param run: a DAG run, or what Airflow's callbacks get instead of one: a dict whose times are text.
    """
    return told_moment(run, "logical_date", "run_after")


def planned_start(run: Any) -> datetime | None:
    """
    When a run was due: on Airflow 3 ``run_after``, on 2.11 the end of its data interval.

    :param run: as for :func:`run_date`.
    """
    return told_moment(run, "run_after", "data_interval_end")


def task_run(context: Context) -> TaskRun:
    """Return the task run of a context; none of its jobs is older than the time at which the run was due."""
    ti, dag_run = context["ti"], context["dag_run"]
    due = planned_start(dag_run) or run_date(dag_run)
    since: datetime = min(due or timezone.utcnow(), timezone.utcnow()) - CLOCK_SLACK
    generation = generation_of(ti.max_tries, ti.task.retries or 0)
    return TaskRun(ti.dag_id, ti.run_id, ti.task_id, ti.map_index, generation, since)
