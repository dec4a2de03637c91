"""What is left to tell of an alert whose task nobody watches any more: the rule. It asks nobody and sends nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from airflow_agari_provider.alerts.claims import LEASE
from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.open_claims import OpenClaim
from airflow_agari_provider.alerts.sla import Watch
from airflow_agari_provider.alerts.task_states import DONE, is_late, standing_of

# wait: somebody else is at it, or nothing has changed. send: it was never told, and is still late. failed: it was told
# as late, and has failed for good since. unsent: it is over, and was certainly never told. The others: it is over, and
# may have been told.
Verdict = Literal["wait", "send", "failed", "recovered", "deleted", "unsent", "given up"]


@dataclass(frozen=True)
class RunAsItIs:
    """
    A run as Airflow knows it now.

    :param ended: when it ended, if Airflow tells.
    """

    state: str
    tasks: Sequence[TaskInState]
    ended: datetime | None = None

    def ended_of(self, task_id: str | None) -> datetime | None:
        """When a task, with all its indexes, or the run was done; ``None`` if Airflow does not tell."""
        if task_id is None and self.ended:
            return self.ended
        ends = [task.until for task in self.tasks if task_id in (None, task.task_id) and task.state in DONE]
        return max((end for end in ends if end), default=None) if all(ends) else None


class Runs(Protocol):
    """What Airflow knows of its runs."""

    def __call__(
        self, dag_id: str, run_id: str, mapped: Sequence[str] = (), others: Sequence[str] = ()
    ) -> RunAsItIs | None:
        """
        Return a run, or ``None`` if it certainly does not exist, as after it was deleted; blocks.

        :param mapped: ids of the mapped tasks that are asked about.
        :param others: as in :func:`~airflow_agari_provider.alerts.task_states.tasks_in_states`.
        :raises Exception: Airflow does not tell now.
        """


def verdict(claim: OpenClaim, watch: Watch, run: RunAsItIs | None, now: float, give_up_after: float) -> Verdict:
    """
    Return what is to be done about an open alert.

    :param run: ``None`` if it does not exist any more.
    :param give_up_after: seconds since it was first claimed, after which nothing is told any more.
    """
    is_busy = claim.state == "sending" and now < claim.claimed_at + LEASE
    waits = claim.state in ("postponed", "doubtful") and now < claim.claimed_at  # a silence may have ended before
    if run is None or not is_late(run.tasks, run.state, watch.task_id):
        if is_busy:
            return "wait"
        if claim.state in ("postponed", "silenced", "refused", "collected", "told"):
            return "unsent"
        return "deleted" if run is None else "recovered"
    if now >= claim.first_at + give_up_after:
        return "given up"
    if is_busy or waits or claim.state in ("refused", "collected", "told"):
        return "wait"
    if claim.state != "sent":
        return "send"
    return "failed" if _has_failed_since(claim, watch, run) else "wait"


def _has_failed_since(claim: OpenClaim, watch: Watch, run: RunAsItIs) -> bool:
    was_late = claim.standing in ("late", "perhaps late") and claim.failed_at is None
    return was_late and watch.when_failed != "skip" and standing_of(run.tasks, run.state, watch.task_id) != "late"


def unanswered(claim: OpenClaim, now: float, give_up_after: float) -> Verdict:
    """Return what is to be done about an open alert of which Airflow does not tell how it stands."""
    return "given up" if now >= claim.first_at + give_up_after else "wait"
