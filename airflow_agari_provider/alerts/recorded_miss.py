"""
Misses as the rows of the claims tell them: who was told of each, when, and whether the task came in. Pure.

The values are named tuples: thousands are made for each answer, and they take less than half the time of dataclasses.
For the same reason what is told of each alert is made only for the misses that are listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, TypedDict

RECOVERY = "recovery|"  # what the name of a recovery's alert begins with; the rest is the name of the miss's alert
NAME_CHARACTERS = 1000 - len(RECOVERY)  # of an alert's name that the rows of both have
CLOSED = {"recovered": "came in", "deleted": "run deleted"}  # what the claims' word for it is here
DONE = frozenset({"success", "skipped"})


class AlertRow(NamedTuple):
    """
    A row of the claims, of which an older version may have left any column empty.

    :param alert: name of the alert.
    :param run: name of the run: environment, DAG and run id.
    :param task: task id; empty for the run itself.
    """

    alert: str
    state: str
    claimed_at: float
    first_at: float
    reference: str | None
    run: str | None
    task: str | None
    destination: str | None
    incident: str | None
    due_at: float | None
    recovered_at: float | None
    environment: str | None = None
    dag_id: str | None = None
    run_id: str | None = None
    task_owner: str | None = None
    service: str | None = None
    sla: str | None = None
    step: float | None = None
    sent_at: float | None = None
    silence: str | None = None
    closed_at: float | None = None
    closed_as: str | None = None


class Told(TypedDict):
    """
    One alert of a miss, as the page shows it.

    :param state: ``sent``, ``doubtful``, ``refused``, ``silenced``, ``collected`` or ``told`` (in a digest),
        ``sending``, ``postponed``.
    :param at: when it was sent; if it was not, when it was to be sent. Seconds since the epoch.
    :param step: seconds after the SLA at which it is sent.
    :param silence: of a silenced one: who silenced it, and why.
    :param recovery: state of its recovery; empty if none was begun.
    """

    service: str
    destination: str
    state: str
    at: float
    step: float
    reference: str
    silence: str
    recovery: str


class RecordedMiss(NamedTuple):
    """
    An SLA that a run has missed.

    :param task_id: empty for the run itself.
    :param sla: the SLA itself: seconds, or a time of day; empty if that is not recorded.
    :param due_at: when the SLA was over; seconds since the epoch, like all times here.
    :param came_in_at: when the task or run was done; ``None`` if it is not, or that is not recorded.
    :param outcome: ``open``, ``came in``, or how else it was closed, such as ``run deleted``.
    :param alerts: the rows of its alerts, the first first.
    :param recoveries: state of each recovery that was begun, by the name of its alert; of all misses.
    :param state: state of the task or run in Airflow; empty if nobody has asked.
    """

    environment: str
    dag_id: str
    run_id: str
    task_id: str
    sla: str
    owner: str
    incident: str
    due_at: float
    found_at: float
    came_in_at: float | None
    outcome: str
    alerts: Sequence[AlertRow]
    recoveries: Mapping[str, str]
    state: str = ""

    @property
    def told(self) -> list[Told]:
        """Who was told, or why nobody was."""
        return [_told(row, recovery_of(row, self.recoveries)) for row in self.alerts]

    @property
    def is_open(self) -> bool:
        return self.outcome == "open"

    @property
    def place(self) -> tuple[str, str, str]:
        """The task or run in Airflow: DAG id, run id, task id."""
        return self.dag_id, self.run_id, self.task_id

    @property
    def came_in_late(self) -> float | None:
        """Seconds from the SLA until it came in; ``None`` if it has not, or that is not known."""
        return None if self.came_in_at is None else max(0.0, self.came_in_at - self.due_at)


class Standing(NamedTuple):
    """How a task or a run stands in Airflow. :param ended_at: of its last index to end, if it has ended."""

    state: str
    ended_at: float | None


def recorded_misses(rows: Iterable[AlertRow], begun: Mapping[str, str] | None = None) -> list[RecordedMiss]:
    """
    Return the misses that rows tell of, the latest first; rows of digests and the like tell of none.

    :param begun: state of recoveries that are not among the rows, by the name of their alert.
    """
    recoveries = dict(begun or {})
    grouped: dict[tuple[str, str | None, str | int | None], list[AlertRow]] = {}
    for row in rows:
        run = row.run
        if row.alert.startswith(RECOVERY) and not (run and row.alert.startswith(run)):
            recoveries[row.alert.removeprefix(RECOVERY)] = row.state
        elif run:
            which = run, row.task or "", row.sla or (None if row.due_at is None else round(row.due_at))
            if (found := grouped.get(which)) is None:
                grouped[which] = [row]
            else:
                found.append(row)
    misses = [_miss(found, recoveries) for found in grouped.values()]
    misses.sort(key=_due_at, reverse=True)
    return misses


def recovery_of(row: AlertRow, recoveries: Mapping[str, str]) -> str:
    """Return the state of the recovery of an alert; empty if none was begun."""
    return recoveries.get(row.alert[:NAME_CHARACTERS]) or recoveries.get(row.alert, "")


def settled(
    misses: Iterable[RecordedMiss], standings: Mapping[tuple[str, str, str], Standing], environment: str
) -> list[RecordedMiss]:
    """
    Return the misses with what Airflow knows of the open ones: nobody is told when a task is marked by hand.

    :param standings: of the tasks and runs that were looked for; a run that is not there is ``deleted``.
    :param environment: of this Airflow. A run of another one, which shares the claims, cannot be found here.
    """
    return [_settled(miss, standings, environment) if miss.is_open else miss for miss in misses]


def _settled(miss: RecordedMiss, standings: Mapping[tuple[str, str, str], Standing], environment: str) -> RecordedMiss:
    standing = standings.get(miss.place)
    if standing is None:
        return miss
    if standing.state == "deleted":
        return miss._replace(outcome="run deleted", state="deleted") if miss.environment == environment else miss
    if standing.state in DONE:
        return miss._replace(outcome="came in", came_in_at=standing.ended_at, state=standing.state)
    return miss._replace(state=standing.state)


_due_at, _first_at = attrgetter("due_at"), attrgetter("first_at")


def _miss(rows: list[AlertRow], recoveries: Mapping[str, str]) -> RecordedMiss:
    if len(rows) > 1:
        rows.sort(key=_first_at)
    first = rows[0]
    came_in, outcome = None, ""
    for row in rows:
        at = row.recovered_at
        if at is not None and (came_in is None or at < came_in):
            came_in = at
        if not outcome and row.closed_at is not None:
            outcome = CLOSED.get(row.closed_as or "", row.closed_as or "closed")
    environment, dag_id, run_id = named(first.environment, first.dag_id, first.run_id, first.run)
    return RecordedMiss(
        environment,
        dag_id,
        run_id,
        first.task or "",
        first.sla or "",
        first.task_owner or "",
        first.incident or "",
        first.first_at if first.due_at is None else first.due_at,
        first.first_at,
        came_in,
        "came in" if came_in is not None else outcome or "open",
        rows,
        recoveries,
    )


def named(environment: str | None, dag_id: str | None, run_id: str | None, run: str | None) -> tuple[str, str, str]:
    """Return environment, DAG and run id; before these were columns, they were only in the run's name."""
    if dag_id:
        return environment or "", dag_id, run_id or ""
    environment, dag_id, run_id = [*(run or "").split("|", 2), "", ""][:3]
    return environment, dag_id, run_id


def _told(row: AlertRow, recovery: str) -> Told:
    destination = row.destination or ""
    return {
        "service": row.service or destination.partition(" ")[0],
        "destination": destination,
        "state": row.state,
        "at": _at(row),
        "step": row.step or 0.0,
        "reference": (row.reference or "") if row.state == "sent" else "",
        "silence": (row.silence or "") if row.state == "silenced" else "",
        "recovery": recovery,
    }


def _at(row: AlertRow) -> float:
    """When it was sent; of others than sent ones the claim says when they may be tried again."""
    if row.sent_at is not None:
        return row.sent_at
    return row.claimed_at if row.state == "sent" else row.first_at
