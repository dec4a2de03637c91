"""What an alert says about a task or run and its SLA: the values, and the sentences made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

Event = Literal["miss", "recovery", "failed since", "failure", "retry", "success", "start"]
Standing = Literal["late", "failed", "failed and therefore late", "perhaps late", "deleted"]
Scope = Literal["task", "run", "dag"]

_SUBJECTS: Mapping[Event, str] = {
    "miss": "SLA Miss for",  # as Agari published it
    "recovery": "SLA Miss recovered for",
    "failed since": "Failure after SLA Miss for",
    "failure": "Failure of",
    "retry": "Retry of",
    "success": "Success of",
    "start": "Start of",
}


@dataclass(frozen=True)
class TaskInState:
    """
    A task instance and its state.

    :param state: Airflow's name of the state; ``None`` for a task that has not been scheduled yet.
    :param map_index: -1 for a task that is not mapped.
    :param try_number: ``None`` if Airflow does not tell it: Airflow 3 tells a deadline's callback only states.
    :param since: start of its current try, if known.
    :param until: end of its last try, if known.
    """

    task_id: str
    state: str | None
    map_index: int = -1
    try_number: int | None = None
    since: datetime | None = None
    url: str = ""
    until: datetime | None = None

    @property
    def name(self) -> str:
        return self.task_id if self.map_index < 0 else f"{self.task_id}[{self.map_index}]"

    @property
    def standing(self) -> str:
        """Such as ``running, try 2``."""
        state = (self.state or "not scheduled").replace("_", " ")
        return f"{state}, try {self.try_number}" if self.try_number else state

    def __str__(self) -> str:
        return f"{self.name} ({self.standing})"


@dataclass(frozen=True)
class SlaMiss:
    """
    A task or a run that has missed its SLA; or another event of it, such as its recovery.

    :param task_id: ``None`` if it is about the whole run.
    :param date: the run's date as alerts show it, such as ``2016-02-26T18:00:00`` (UTC).
    :param environment: stands before the text, such as ``EP_STAGE``, and in the entity id.
    :param standing: it is ``perhaps late`` if Airflow did not tell how it stands; ``deleted`` if its run does not exist
        any more.
    :param due: when it should have been done.
    :param at: when it was found late, or finished.
    :param blocking: the tasks that it waits for, including itself.
    :param scope: what shares one incident: a ``task`` of a run, all of a ``run``, or all of a ``dag``.
    :param collected: the misses that a digest is about, if this is a digest; it is then not about one miss alone.
    :param downgraded: whether it must not page, because it failed and its SLA says ``when_failed="downgrade"``.
    """

    dag_id: str
    run_id: str
    task_id: str | None
    date: str
    event: Event = "miss"
    standing: Standing = "late"
    environment: str = ""
    due: datetime | None = None
    at: datetime | None = None
    owner: str = ""
    blocking: tuple[TaskInState, ...] = ()
    run_url: str = ""
    task_url: str = ""
    scope: Scope = "task"
    downgraded: bool = False
    collected: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The published sentence: ``EP_STAGE - <dag> SLA Miss for task <task> on <date>``."""
        return self.sentence(self.task_id or "", self.date)

    def sentence(self, task: str, date: str, dag: str | None = None) -> str:
        """The published sentence with a task and a date that have their markup already."""
        environment = f"{self.environment} - " if self.environment else ""
        if self.collected:
            return f"{environment}{dag or self.dag_id} {_SUBJECTS[self.event]} {len(self.collected)} more"
        subject = f"task {task}" if self.task_id else "the run"
        return f"{environment}{dag or self.dag_id} {_SUBJECTS[self.event]} {subject} on {date}"

    @property
    def brief(self) -> str:
        """One line of a digest."""
        return f"{self.task_id or 'the run'} on {self.date}"

    @property
    def recovered(self) -> bool:
        return self.event == "recovery"

    @property
    def is_open(self) -> bool:
        """Whether it tells of an SLA that is missed and not made up for."""
        return self.event in ("miss", "failed since")

    @property
    def late_by(self) -> timedelta | None:
        return self.at - self.due if self.at and self.due else None

    @property
    def details(self) -> str:
        """How late it is, when it was due, and who owns it; empty if nothing is known, or for a digest."""
        if self.collected:
            return ""
        late = self.late_by
        facts = []
        if self.standing == "deleted":
            facts.append("The run was deleted")
        elif self.event == "recovery":
            facts.append(f"Finished {duration_text(late)} late" if late else "Finished late")
        elif self.event == "miss":
            by = f" by {duration_text(late)}" if late and self.standing == "late" else ""
            unknown = ": Airflow did not tell how it stands" if self.standing == "perhaps late" else ""
            facts.append(self.standing.capitalize() + by + unknown)
        elif self.event == "failed since":
            facts.append(self.standing.capitalize())
        if self.due and self.is_open:
            facts.append(f"due {self.due.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")
        if self.owner:
            facts.append(f"owner {self.owner}")
        return ", ".join(facts)

    @property
    def display_name(self) -> str:
        """Title of the incident, such as ``ep_telemetry_v2.load late by 17 min (scheduled__2016-02-26...)``."""
        name = f"{self.dag_id}.{self.task_id}" if self.task_id else self.dag_id
        late = self.late_by
        standing = f"{self.standing} by {duration_text(late)}" if late and self.standing == "late" else self.standing
        told = standing if self.is_open else self.event
        return f"{name} {told} ({self.run_id if self.scope != 'dag' else 'SLA'})"

    @property
    def entity_id(self) -> str:
        """Identity of the incident from its opening to its end: the same from every scheduler, triggerer and try."""
        return incident_id(self.environment, self.dag_id, self.run_id, self.task_id, self.scope)


def incident_id(environment: str, dag_id: str, run_id: str, task_id: str | None, scope: Scope) -> str:
    """Return the identity of the incident of a miss."""
    parts = ["airflow", environment or "default", dag_id]
    if scope != "dag":
        parts.append(run_id)
    if scope == "task":
        parts.append(task_id or "run")
    return "/".join(parts)


def duration_text(duration: timedelta) -> str:
    """Return a duration as text, such as ``45 s``, ``17 min``, ``2 h 5 min``, ``3 d 4 h``."""
    seconds = max(0, int(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def date_text(moment: datetime) -> str:
    """Return a run's date as Agari published it: ISO 8601 to the second, UTC, without a zone."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
