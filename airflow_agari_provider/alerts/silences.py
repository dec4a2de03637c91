"""Silences: for a while, nobody is told of the misses of some tasks. The rules; :mod:`silence_table` keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from airflow_agari_provider.exceptions import AgariError

RUN = "__dag_run__"  # stands for the run where others have a task id; an unlikely task id
LONGEST = 366 * 86400.0  # seconds; a longer silence is a mistake, or an SLA that nobody wants
PATTERN_CHARACTERS = 250
WHY_CHARACTERS = 1000
WHO_CHARACTERS = 250


class WrongSilence(AgariError):
    """
    A silence that cannot be.

    :param problem: what is wrong, and what to do, as sentences.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem


@dataclass(frozen=True)
class Silence:
    """
    A silence; times are seconds since the epoch.

    :param dag: pattern of DAG ids, in which ``*`` stands for any characters and ``?`` for one.
    :param task: pattern of task ids; the run itself has the id ``__dag_run__``.
    :param since: from when on nobody is told.
    :param until: when it ends by itself.
    :param who: who made it.
    :param environment: pattern of the environments of alerts.
    :param ended_at: when a person ended it before its time.
    """

    id: str
    dag: str
    task: str
    since: float
    until: float
    who: str
    why: str
    environment: str = "*"
    made_at: float = 0
    ended_at: float | None = None
    ended_by: str = ""

    @property
    def end(self) -> float:
        return self.until if self.ended_at is None else min(self.until, self.ended_at)

    @property
    def text(self) -> str:
        """What the row of a silenced alert says, such as ``ada: database upgrade (3f2a9c1b)``."""
        return f"{self.who}: {self.why} ({self.id})"

    def covers(self, environment: str, dag_id: str, task_id: str | None) -> bool:
        """Whether it is for the alerts of a task, or of the run. :param task_id: ``None`` for the run."""
        pairs = ((environment, self.environment), (dag_id, self.dag), (task_id or RUN, self.task))
        return all(fnmatchcase(name, pattern) for name, pattern in pairs)


@dataclass(frozen=True)
class Quiet:
    """
    A span of time in which a miss is not told.

    :param why: what the row of the alert says about it.
    """

    since: float
    until: float
    why: str


def quiet_until(spans: Iterable[Quiet], now: float) -> Quiet | None:
    """
    Return the span in which it is quiet now; ``None`` if it is not.

    Spans that overlap, or follow each other without a gap, are one: it ends with the last of them.
    """
    found: Quiet | None = None
    for span in sorted(spans, key=lambda one: one.since):
        end = found.until if found else now
        if span.since <= end < span.until:
            found = Quiet(found.since if found else span.since, span.until, found.why if found else span.why)
    return found


def quiet_spans(silences: Iterable[Silence], environment: str, dag_id: str, task_id: str | None) -> list[Quiet]:
    """Return when it is quiet about a task, or about the run."""
    return [
        Quiet(silence.since, silence.end, silence.text)
        for silence in silences
        if silence.covers(environment, dag_id, task_id)
    ]


def checked(silence: Silence, now: float) -> Silence:
    """
    Return the silence, if it can be.

    :raises WrongSilence: it has no end, ends before it begins or before now, lasts longer than a year, or lacks a
        reason, a person or a pattern.
    """
    for problem in _problems(silence, now):
        raise WrongSilence(problem)
    return silence


def _problems(silence: Silence, now: float) -> Sequence[str]:
    found = []
    limits = {"dag": PATTERN_CHARACTERS, "task": PATTERN_CHARACTERS, "environment": PATTERN_CHARACTERS}
    for name, limit in {**limits, "who": WHO_CHARACTERS, "why": WHY_CHARACTERS}.items():
        value = getattr(silence, name)
        if not value.strip() and name != "environment":
            found.append(f"A silence needs {name!r}.")
        if len(value) > limit:
            found.append(f"{name!r} of a silence has at most {limit} characters, not {len(value)}.")
    if not silence.until > max(silence.since, now):
        found.append("A silence must end after it begins, and after now. Check the time zone of its end.")
    if silence.until - min(silence.since, now) > LONGEST:
        found.append("A silence lasts at most a year. Remove the SLA if nobody wants its alerts.")
    return found
