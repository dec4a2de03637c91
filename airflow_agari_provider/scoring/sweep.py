"""
Finds live jobs whose task no longer waits for them, and cancels them.

A task that is killed cannot always cancel its job: EMR throttles, Airflow ends the process after seconds, or a person
marks a deferred task failed before the triggerer has begun to wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from airflow_agari_provider.scoring.job_owner import JobOwner, read_owner
from airflow_agari_provider.scoring.jobs import BackendError, JobState

logger = logging.getLogger(__name__)

# A task instance in any other state, also in one that is new, waits for its job or will look for it at its next try.
ENDED_STATES = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


@dataclass
class Sweep:
    """
    What became of the live jobs. Each job is in one of the lists.

    :ivar owned: a task waits for it, or will.
    :ivar cancelled: it had no owner.
    :ivar left: it has no owner but goes on, because ``cancel_on_kill=False``, or only a report was wanted.
    :ivar unknown: nobody knows whether it has an owner: it names none, or Airflow does not know or tell its state.
    :ivar failed: it has no owner and could not be cancelled.
    """

    owned: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def sweep(
    jobs: Iterable[JobState],
    state_of: Callable[[JobOwner], str | None],
    cancel: Callable[[JobState, bool], Any],
    only_report: bool = False,
) -> Sweep:
    """
    Cancel each job whose task instance has ended.

    :param jobs: live jobs that carry a run token.
    :param state_of: returns the state of a task instance, asked after the jobs were listed; None: there is no such one.
    :param cancel: asks to cancel a job; True: to kill it, because it was cancelled before and is still there.
    :param only_report: cancel nothing.
    """
    done = Sweep()
    for job in jobs:
        owner = read_owner(job.owner, job.token)
        try:
            state = state_of(owner) if owner else None
        except Exception as error:  # noqa: BLE001 - of the supervisor, the API server or the database
            state = None
            logger.warning("Airflow does not tell the state of %s, so its job is left alone: %s", owner, error)
        if owner is None or state is None:
            logger.warning("%s is %s, and its task is not known here: %s", job, job.phase, owner or "it names none")
            done.unknown.append(str(job))
        elif state not in ENDED_STATES:
            done.owned.append(str(job))
        elif only_report or not owner.cancel_on_kill:
            logger.warning("%s is %s, but its task is %s (%s): it is left alone", job, job.phase, state, owner)
            done.left.append(str(job))
        else:
            logger.warning("%s is %s, but its task is %s (%s): cancelling it", job, job.phase, state, owner)
            _cancel(job, cancel, done)
    return done


def _cancel(job: JobState, cancel: Callable[[JobState, bool], Any], done: Sweep) -> None:
    try:
        cancel(job, job.phase == "CANCELLING")
        done.cancelled.append(str(job))
    except BackendError as error:
        logger.error("%s", error)
        done.failed.append(f"{job}: {error}")
