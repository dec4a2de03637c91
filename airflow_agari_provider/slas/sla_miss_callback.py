"""What Airflow 2.11 calls when it has recorded SLA misses."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.airflow_deadlines import durations, variable_value
from airflow_agari_provider.airflow_runs import RunNotCreated, ask_database, late_run
from airflow_agari_provider.alerts.history import FromHistory
from airflow_agari_provider.alerts.sla import Run, Watch, due_after
from airflow_agari_provider.alerts.variable_sla import FromVariable
from airflow_agari_provider.notifications.sla_miss_notifier import RETRY_FOR
from airflow_agari_provider.slas.dispatch import GIVE_UP_AFTER, dispatch_miss
from airflow_agari_provider.slas.follow_up import tell_recovery
from airflow_agari_provider.slas.observation import observe

logger = logging.getLogger(__name__)

# Seconds after which a check starts with no further miss: Airflow ends a process that works on a DAG's file for 50 s,
# and each request to a service that does not answer takes 10 s.
CHECK_FOR = 20.0
RECOVERY_FOR = 0.0  # seconds; a recovery that cannot be sent at once is sent at the next check
OPEN_FOR = 86400.0  # seconds for which checks look whether a late task has finished


def _due(watch: Watch, run: Run, planned: datetime) -> datetime | None:
    """When the SLA is over; ``None`` if too few runs have succeeded for it to have one."""
    if watch.variable:
        known = FromVariable.from_text(watch.variable)
        return planned + known.sla(ask_database(lambda session: variable_value(session, known.key)))
    if not watch.history:
        return due_after(watch, planned)
    history = FromHistory.from_text(watch.history)
    took = ask_database(lambda session: durations(session, run.dag_id, run.run_id, watch.task_id, history.runs))
    sla = history.sla(took)
    return planned + sla if sla else None


class OnSlaMiss:
    """
    An ``sla_miss_callback``.

    A recorded miss that needs another look (its run is not created yet, a service is down, a later step of the
    escalation is not due, the check takes too long) is removed from the list of misses. Airflow marks the misses in the
    list as notified, and shows the removed ones again at its next check: when it processes the DAG's file while the DAG
    has a run.

    :param watches: the DAG's SLAs.
    """

    __name__ = "agari_sla_miss_callback"  # Airflow names the callback by this

    def __init__(self, watches: Sequence[Watch]) -> None:
        self.watches = watches

    def __call__(self, dag: Any, task_list: str, blocking_task_list: str, slas: list[Any], blocking_tis: Any) -> None:
        give_up = time.monotonic() + CHECK_FOR
        there_are_no_more = False  # runs are created in order, so later ones do not exist either
        for recorded in sorted(slas, key=lambda miss: miss.execution_date):
            finished = False
            try:
                if not there_are_no_more and time.monotonic() < give_up:
                    finished = self._is_finished(dag, recorded, time.time())
            except RunNotCreated:
                there_are_no_more = True
            except Exception:  # an error that escaped would end Airflow's check of every SLA in the file
                logger.exception("The alerts of the SLA miss of %s.%s could not be sent", dag.dag_id, recorded.task_id)
                finished = time.time() > recorded.timestamp.timestamp() + GIVE_UP_AFTER
            if not finished:
                slas.remove(recorded)

    def _is_finished(self, dag: Any, recorded: Any, now: float) -> bool:
        watches = [watch for watch in self.watches if recorded.task_id in watch.carriers]
        facts = late_run(dag, recorded.execution_date) if watches else None
        if facts is None:
            return True
        run = Run(dag.dag_id, facts["run_id"], facts["logical_date"], facts["run_type"])
        found_at = recorded.timestamp.timestamp()
        # Airflow keeps this text with the miss, and does not use it: the next check is in another process
        unrecorded: dict[str, str] = json.loads(recorded.description or "{}")
        dues = [(watch, _due(watch, run, facts["planned"])) for watch in watches]
        try:
            told = [self._tell(watch, run, due, found_at, now, unrecorded) for watch, due in dues if due]
        finally:
            recorded.description = json.dumps(unrecorded) if unrecorded else None
        return all(told)

    def _tell(
        self, watch: Watch, run: Run, due: datetime, found_at: float, now: float, unrecorded: dict[str, str]
    ) -> bool:
        """
        Send the alerts of the steps that are due. Return whether there is nothing left to do.

        :param unrecorded: references to what was sent without a claim, by key; the next check sends none of it again.
        """
        if run.run_type in watch.silent_for:
            return True
        seen = observe(watch, run, due)
        if seen.miss is None and not (seen.came_in and watch.claims):
            return True
        finished = True
        for after in watch.steps:
            step_due = due.timestamp() + after
            if now < step_due:
                finished = seen.came_in and finished
                break
            begun = max(step_due, found_at)
            dispatch = dispatch_miss(watch.step(after), run, due, begun, unrecorded)
            if not watch.claims and seen.miss:
                dispatch.run(seen.miss, RETRY_FOR)  # the next check would not know what this one has sent
                continue
            has_ended = dispatch.attempt(seen.miss, now) is None
            dispatch.remember(unrecorded)
            if not has_ended and now < begun + 2 * GIVE_UP_AFTER:  # a fallback has as long again
                finished = False
        lasts = now < due.timestamp() + OPEN_FOR
        if seen.came_in or observe(watch, run, due).came_in:
            return (tell_recovery(watch, run, datetime.now(UTC), due, RECOVERY_FOR) or not lasts) and finished
        # A task's own callback, which sends its recovery, runs before Airflow 2.11 commits the task's state: a message
        # that was being sent then, or another index that finished at the same time, is found at a later check.
        may_come_in = bool(watch.claims) and seen.miss is not None and seen.miss.standing == "late"
        return finished and not (may_come_in and lasts)
