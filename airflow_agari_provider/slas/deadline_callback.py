"""What Airflow 3 runs in the triggerer when a deadline has passed."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_agari_provider.airflow_compat import in_thread
from airflow_agari_provider.airflow_runs import moment, run_date
from airflow_agari_provider.alerts.sla import Run, Watch
from airflow_agari_provider.slas.dispatch import (
    GIVE_UP_AFTER,
    UNEXPECTED_PAUSE,
    dispatch_miss,
    make_ready,
    tell_recovery,
)
from airflow_agari_provider.slas.observation import Observation, observe

logger = logging.getLogger(__name__)

KEPT_JOBS = 5000  # jobs; with more, finished ones are forgotten

# Two triggerers may take a callback from each other again and again: Airflow cancels it in one and starts it in the
# other, and back. So the work runs in a task of its own, which is not cancelled; a callback that starts again here gets
# the result of that task.
_jobs: dict[str, asyncio.Task[str]] = {}


async def on_deadline(watch: str, context: Mapping[str, Any]) -> str:
    """
    Alert if the task is really late: Airflow's deadlines belong to runs, and know nothing about tasks.

    :param watch: a ``Watch`` as JSON, with the alerts of one step.
    :param context: ``dag_run`` and ``deadline``, as Airflow gives them.
    :return: how each alert ended, as JSON.
    """
    deadline = str(context["deadline"]["id"])
    if deadline not in _jobs:
        for finished in [key for key, job in _jobs.items() if job.done()][: max(0, len(_jobs) - KEPT_JOBS)]:
            del _jobs[finished]
        _jobs[deadline] = asyncio.ensure_future(_alert(Watch.from_json(watch), context))
    return await asyncio.shield(_jobs[deadline])


ON_DEADLINE = f"{on_deadline.__module__}.{on_deadline.__qualname__}"  # for Airflow; the charts find SLAs by it


async def _alert(watch: Watch, context: Mapping[str, Any]) -> str:
    facts = context["dag_run"]
    date = run_date(facts) or datetime.now(UTC)
    run = Run(facts["dag_id"], facts["dag_run_id"], date, facts["run_type"])
    if run.run_type in watch.silent_for:
        return json.dumps(f"not watched: {run.run_type}")
    due = moment(context["deadline"]["deadline_time"]) - timedelta(seconds=watch.steps[0])
    dispatch = dispatch_miss(watch, run, due, time.time())
    # A triggerer's first question to Airflow takes 6 s, in another process; the imports end within that time
    seen, _ = await asyncio.gather(_observed(watch, run, due), in_thread(make_ready, watch))
    if seen.miss is None:
        return json.dumps("in time" if seen.came_in else "nothing to tell")
    while (pause := await in_thread(dispatch.attempt, seen.miss, time.time())) is not None:
        await asyncio.sleep(pause)
        seen = await _observed(watch, run, due)
    if (await _observed(watch, run, due)).came_in:  # while the alerts were sent
        await in_thread(tell_recovery, watch, run, datetime.now(UTC), due)
    return json.dumps(dispatch.outcomes)


async def _observed(watch: Watch, run: Run, due: datetime) -> Observation:
    """Ask how it stands, and ask again while Airflow does not answer: it never repeats a callback that failed."""
    give_up = time.monotonic() + GIVE_UP_AFTER
    while True:
        try:
            return await in_thread(observe, watch, run, due)
        except Exception as error:  # any error of the supervisor or the API server
            if time.monotonic() > give_up:
                raise
            kind = type(error).__name__
            logger.warning("Airflow did not tell the tasks of %s; asking again. %s: %s", run.run_id, kind, error)
        await asyncio.sleep(UNEXPECTED_PAUSE)
