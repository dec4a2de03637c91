"""What is known about an SLA when the DAG is parsed, and how it ends in a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from airflow_agari_provider.alerts.miss import Scope, SlaMiss, TaskInState, date_text, duration_text
from airflow_agari_provider.alerts.payload_text import whole_text
from airflow_agari_provider.alerts.task_states import DONE, blocking_tasks, is_late, is_reported_elsewhere, standing_of
from airflow_agari_provider.alerts.time_of_day import first_after

PACKAGE = __name__.partition(".")[0]
WhenFailed = Literal["page", "downgrade", "skip"]
Link = Callable[[str, str, TaskInState | None], str]  # dag id, run id, task instance


@dataclass(frozen=True)
class Run:
    """
    A run of a DAG.

    :param date: its logical date, or the time after which it ran.
    :param run_type: Airflow's name: ``scheduled``, ``manual``, ``backfill``, ``asset_triggered``...
    """

    dag_id: str
    run_id: str
    date: datetime
    run_type: str = "scheduled"


@dataclass(frozen=True)
class Watch:
    """
    One SLA. It travels as JSON to the processes that alert, so it holds ids of connections and no secret.

    :param task_id: ``None`` for the run.
    :param dag_id: known here too, for a callback that is told nothing.
    :param sla: seconds within which the task or run has to be done.
    :param by: instead of ``sla``: a time of day, such as ``06:00:00 Europe/Berlin``.
    :param alerts: specifications of the alerts; each has ``after``: seconds after the SLA.
    :param claims: ``sql:<conn_id>``, or empty.
    :param digest: seconds for which misses of the DAG are collected after the first one; 0: each is sent alone.
    :param reference: where the time counts from: ``queued_at``, ``logical_date``, or ``planned`` start.
    :param silent_for: types of runs that are not watched.
    :param mapped: ids of the DAG's mapped tasks.
    :param lookalikes: ids of tasks that look like an index of a mapped one.
    :param upstream: ids of the tasks that the task waits for, and its own id; ``None`` for the run.
    :param reported_later: of what makes this task fail, the tasks with an SLA that is not over before this one;
        ``None`` stands for the run.
    :param reported_earlier: those with an SLA that is over before.
    :param carriers: on Airflow 2.11: the tasks through whose SLA Airflow checks this one.
    :param packed: the three sets before, as :mod:`~airflow_agari_provider.alerts.sla_payload` writes them.
    :param families: beginnings of names that look like those of mapped tasks' indexes, and are not.
    :param quiet: hours of each week in which nobody is told, as
        :func:`~airflow_agari_provider.alerts.quiet_hours.quiet_hours` returns them.
    :param history: instead of ``sla``, which is then the shortest that it can be: the text of a
        :class:`~airflow_agari_provider.alerts.history.FromHistory`.
    :param variable: likewise, the text of a :class:`~airflow_agari_provider.alerts.variable_sla.FromVariable`.
    """

    task_id: str | None
    sla: float
    alerts: Sequence[dict[str, Any]]
    dag_id: str = ""
    by: str = ""
    claims: str = ""
    digest: float = 0
    environment: str = ""
    incident: Scope = "task"
    when_failed: WhenFailed = "page"
    reference: str = "queued_at"
    silent_for: Sequence[str] = field(default_factory=list)
    owner: str = ""
    mapped: Sequence[str] = field(default_factory=list)
    lookalikes: Sequence[str] = field(default_factory=list)
    upstream: Collection[str] | None = None
    reported_later: Sequence[str | None] = field(default_factory=list)
    reported_earlier: Sequence[str | None] = field(default_factory=list)
    carriers: Sequence[str] = field(default_factory=list)
    packed: dict[str, str] = field(default_factory=dict)
    families: Sequence[str] = field(default_factory=list)
    quiet: Sequence[str] = field(default_factory=list)
    history: str = ""
    variable: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Watch:
        """
        Read an SLA, also one that is written short.

        Fields of a newer version are left out, in a process that is not updated yet.
        """
        known = {one.name for one in fields(cls)}
        told = {name: value for name, value in json.loads(whole_text(text)).items() if name in known}
        return cls(**told | {"alerts": [_whole(alert) for alert in told.get("alerts", ())]})

    @property
    def text(self) -> str:
        """The SLA itself: seconds, or a time of day."""
        if self.differs:
            return f"history {self.history}" if self.history else f"variable {self.variable}"
        return self.by or f"{self.sla:g}"

    @property
    def differs(self) -> bool:
        """Whether each run has an SLA of its own, of which ``sla`` is the shortest that it can be."""
        return bool(self.history or self.variable)

    @property
    def identity(self) -> str:
        """What tells this SLA from another one of the same task."""
        from_date = self.reference == "logical_date" and not (self.by or self.history)  # which count from elsewhere
        return f"{self.text} from the logical date" if from_date else self.text

    @property
    def name(self) -> str:
        """For people, with the first step, such as ``load within 30 min``, or ``the run by 06:00:00 UTC, + 15 min``."""
        within = f"by {self.by}" if self.by else f"within {duration_text(timedelta(seconds=self.sla))}"
        if self.differs:
            within = f"within what {'its history' if self.history else 'a Variable'} says"
        after = f", + {duration_text(timedelta(seconds=self.steps[0]))}" if self.steps[0] else ""
        return f"{self.task_id or 'the run'} {within}{after}"

    @property
    def steps(self) -> list[float]:
        """Seconds after the SLA at which alerts are to be sent."""
        return sorted({alert["after"] for alert in self.alerts})

    def step(self, after: float) -> Watch:
        """This SLA with the alerts of one step only."""
        return replace(self, alerts=[alert for alert in self.alerts if alert["after"] == after])


def _whole(alert: dict[str, Any]) -> dict[str, Any]:
    """Add what a short alert leaves out: what it has not, and the name of this package."""
    whole: dict[str, Any] = {"after": 0.0, "recovery": None, "fallback": None, **alert}
    for name in ("notifier", "recovery", "fallback"):
        if isinstance(whole[name], dict) and whole[name]["path"].startswith("."):
            whole[name] = {**whole[name], "path": PACKAGE + whole[name]["path"]}
    return whole


def miss_of(
    watch: Watch,
    run: Run,
    run_state: str,
    tasks: Sequence[TaskInState],
    due: datetime,
    at: datetime,
    link: Link,
    reported: Callable[[], Collection[str | None]],
) -> SlaMiss | None:
    """
    Return the miss as it stands; ``None`` if the task or run is done, or the SLA does not report it.

    :param due: when the SLA was over.
    :param at: now.
    :param reported: as in :func:`~airflow_agari_provider.alerts.task_states.is_reported_elsewhere`.
    """
    standing = standing_of(tasks, run_state, watch.task_id)
    if (
        not is_late(tasks, run_state, watch.task_id)
        or (standing != "late" and watch.when_failed == "skip")
        or is_reported_elsewhere(
            tasks, run_state, watch.task_id, watch.reported_later, watch.reported_earlier, reported
        )
    ):
        return None
    blocking = blocking_tasks(tasks, watch.upstream)
    return replace(
        _told(watch, run, due, at, link, tasks),
        standing=standing,
        blocking=tuple(replace(task, url=link(run.dag_id, run.run_id, task)) for task in blocking),
        downgraded=standing != "late" and watch.when_failed == "downgrade",
    )


def unknown_miss(watch: Watch, run: Run, due: datetime, at: datetime, link: Link) -> SlaMiss:
    """Return the miss of a task or run of which Airflow did not tell how it stands."""
    return replace(_told(watch, run, due, at, link, ()), standing="perhaps late")


def recovery_of(watch: Watch, run: Run, due: datetime | None, at: datetime, link: Link) -> SlaMiss:
    """Return the recovery: the late task or run has finished."""
    return replace(_told(watch, run, due, at, link, ()), event="recovery")


def due_after(watch: Watch, start: datetime) -> datetime:
    """When the SLA is over for a run that starts, or was planned to start, at this time."""
    if watch.by:
        return first_after(start, watch.by)
    return start + timedelta(seconds=watch.sla)


def due_between(
    watch: Watch, planned: datetime | None, logical_date: datetime | None, started: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """
    The earliest and the latest time at which the SLA of a run can have been over; ``None`` if not known.

    They are the same, unless the SLA counts from when the run was queued: between its planned start and its start. Of
    an SLA from history or from a Variable only the earliest is known.
    """
    if watch.differs:
        earliest, _ = due_between(replace(watch, history="", variable=""), planned, logical_date, started)
        return earliest, None
    if watch.by or watch.reference != "queued_at":
        start = logical_date if watch.reference == "logical_date" and not watch.by else planned
        due = due_after(watch, start) if start else None
        return due, due
    starts = [start for start in (planned, started) if start]
    return due_after(watch, min(starts)) if starts else None, due_after(watch, started) if started else None


def _told(
    watch: Watch, run: Run, due: datetime | None, at: datetime, link: Link, tasks: Sequence[TaskInState]
) -> SlaMiss:
    task_url = ""
    if watch.task_id is not None:
        open_ones = (task for task in tasks if task.task_id == watch.task_id and task.state not in DONE)
        task_url = link(run.dag_id, run.run_id, next(open_ones, TaskInState(watch.task_id, None)))
    return SlaMiss(
        dag_id=run.dag_id,
        run_id=run.run_id,
        task_id=watch.task_id,
        date=date_text(run.date),
        environment=watch.environment,
        due=due,
        at=at,
        owner=watch.owner,
        run_url=link(run.dag_id, run.run_id, None),
        task_url=task_url,
        scope=watch.incident,
    )
