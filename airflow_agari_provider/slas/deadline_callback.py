"""What Airflow 3 runs in the triggerer when a deadline has passed."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_agari_provider.airflow_compat import in_thread
from airflow_agari_provider.airflow_runs import link, run_date
from airflow_agari_provider.alerts.context_facts import told, told_moment, told_run
from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.sla import Run, Watch, unknown_miss
from airflow_agari_provider.alerts.threads import POOL
from airflow_agari_provider.slas.dispatch import UNEXPECTED_PAUSE, dispatch_miss, make_ready
from airflow_agari_provider.slas.follow_up import RECOVERY_FOR, tell_recovery_or_close
from airflow_agari_provider.slas.observation import Observation, observe

logger = logging.getLogger(__name__)

ASK_FOR = 600.0  # seconds; after that it is better to alert for nothing than not to alert
UNKNOWN_RUN = "unknown run"
KEPT_JOBS = 5000  # jobs; with more, finished ones are forgotten

# Two triggerers may take a callback from each other again and again: Airflow cancels it in one and starts it in the
# other, and back. So the work runs in a task of its own, which is not cancelled; a callback that starts again here gets
# the result of that task.
_jobs: dict[str, asyncio.Task[str]] = {}


async def on_deadline(watch: str, context: Any = None, **_: Any) -> str:
    """
    Alert if the task is really late: Airflow's deadlines belong to runs, and know nothing about tasks.

    If Airflow tells less than expected, the alert has what is known: Airflow never repeats a callback that failed.

    :param watch: a ``Watch`` as JSON, with the alerts of one step.
    :param context: ``dag_run`` and ``deadline``, as Airflow gives them.
    :param _: what another version of Airflow may add.
    :return: how each alert ended, as JSON.
    """
    known = Watch.from_json(watch)
    run, due = _run_and_due(known, context)
    deadline = str(told(told(context, "deadline"), "id") or f"{watch}|{run.run_id}")
    if deadline not in _jobs:
        for finished in [key for key, job in _jobs.items() if job.done()][: max(0, len(_jobs) - KEPT_JOBS)]:
            del _jobs[finished]
        _jobs[deadline] = asyncio.ensure_future(_alert(known, run, due))
    return await asyncio.shield(_jobs[deadline])


ON_DEADLINE = f"{on_deadline.__module__}.{on_deadline.__qualname__}"  # for Airflow; the charts find SLAs by it


async def _alert(watch: Watch, run: Run, due: datetime) -> str:
    if run.run_type in watch.silent_for:
        return json.dumps(f"not watched: {run.run_type}")
    dispatch = dispatch_miss(watch, run, due, time.time())
    # A triggerer's first question to Airflow takes 6 s, in another process; the imports end within that time
    ready = asyncio.ensure_future(in_thread(make_ready, watch, pool=POOL))
    seen = await _observed(watch, run, due, ASK_FOR)
    if seen is None:
        logger.error("Airflow did not tell how %s stands, so its SLA is taken for missed", run.run_id)
        seen = Observation(unknown_miss(watch, run, due, datetime.now(UTC), _known_link), came_in=False)
    if seen.miss is None:
        return json.dumps("in time" if seen.came_in else "nothing to tell")
    await ready
    while (pause := await in_thread(dispatch.attempt, seen.miss, time.time(), pool=POOL)) is not None:
        await asyncio.sleep(pause)
        seen = await _observed(watch, run, due, 0) or seen
    last = await _observed(watch, run, due, ASK_FOR)
    if last and last.came_in:  # while the alerts were sent
        await in_thread(tell_recovery_or_close, watch, run, datetime.now(UTC), due, RECOVERY_FOR, pool=POOL)
    return json.dumps(dispatch.outcomes)


def _run_and_due(watch: Watch, context: Any) -> tuple[Run, datetime]:
    """Read a run, and when its SLA was over. What Airflow does not tell is filled with what is likely."""
    now = datetime.now(UTC)
    facts, passed = told(context, "dag_run"), told_moment(told(context, "deadline"), "deadline_time")
    dag_id, run_id = told_run(context, watch.dag_id)
    kind = told(facts, "run_type") or "scheduled"
    run = Run(dag_id, run_id, run_date(facts) or now, str(getattr(kind, "value", kind)))
    due = (passed or now) - timedelta(seconds=watch.steps[0])
    if not run.run_id:
        logger.error("Airflow did not tell which run of %s has missed an SLA", run.dag_id)
        # The minute is part of the alert's key, so that another process does not send it too
        run = replace(run, run_id=f"{UNKNOWN_RUN} {now:%Y-%m-%dT%H:%M}Z")
    return run, due


def _known_link(dag_id: str, run_id: str, task: TaskInState | None = None) -> str:
    return "" if run_id.startswith(UNKNOWN_RUN) else link(dag_id, run_id, task)


async def _observed(watch: Watch, run: Run, due: datetime, seconds: float) -> Observation | None:
    """
    Ask how it stands, and ask again for some time while Airflow does not answer.

    :return: ``None`` if it did not answer, or if there is no run to ask about.
    """
    give_up = time.monotonic() + seconds
    while not run.run_id.startswith(UNKNOWN_RUN):
        try:
            return await in_thread(observe, watch, run, due, pool=POOL)
        except Exception as error:  # noqa: BLE001 - any error of the supervisor or the API server
            kind = type(error).__name__
            logger.warning("Airflow did not tell the tasks of %s. %s: %s", run.run_id, kind, error)
        if time.monotonic() + UNEXPECTED_PAUSE > give_up:
            return None
        await asyncio.sleep(UNEXPECTED_PAUSE)
    return None
