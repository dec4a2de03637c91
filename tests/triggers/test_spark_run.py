from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_agari_provider.airflow_compat import TRIGGERS_HAVE_ON_KILL, BaseTrigger
from airflow_agari_provider.scoring import job_wait
from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.jobs import JobState, SparkJob
from airflow_agari_provider.scoring.run_watch import RunWatch
from airflow_agari_provider.triggers import spark_run
from airflow_agari_provider.triggers.spark_run import SparkRunTrigger, minimum_age

KEY = {"dag_id": "telemetry", "task_id": "score", "run_id": "hour_5", "map_index": -1}


@pytest.fixture
def job(emr_world: Any) -> JobState:
    emr_world.cluster("scoring")
    return EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring")).submit(
        SparkJob("score", "s3://agari/score.py"), "t"
    )


def trigger_for(job: JobState, **arguments: Any) -> SparkRunTrigger:
    """One that has travelled through the metadata database, as JSON."""
    cancel_on_kill = arguments.pop("cancel_on_kill", True)
    watch = RunWatch(job, **{"deadline": None, "poll_interval": 0.02, "max_poll_errors": 3, **arguments})
    path, kwargs = SparkRunTrigger(asdict(watch), cancel_on_kill, None, "us-east-1").serialize()
    assert path == "airflow_agari_provider.triggers.spark_run.SparkRunTrigger"
    return SparkRunTrigger(**json.loads(json.dumps(kwargs)))


async def first_event(trigger: BaseTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        return json.loads(json.dumps(event.payload))  # events travel as JSON too
    raise AssertionError("no event")


def test_it_fires_when_the_job_has_ended(emr_world, job):
    emr_world.work()
    event = asyncio.run(first_event(trigger_for(job)))
    assert event["outcome"] == "ended"
    assert (JobState(**event["job"]).job_id, JobState(**event["job"]).phase) == (job.job_id, "SUCCEEDED")
    assert event["rejoined"] is False


def test_a_failed_job_has_ended_too(emr_world, job):
    emr_world.end(emr_world.steps[0], "FAILED", Reason="Unknown Error.", Message="ValueError: no")
    event = asyncio.run(first_event(trigger_for(job)))
    assert (event["outcome"], event["job"]["phase"]) == ("ended", "FAILED")
    assert event["job"]["reason"] == "Unknown Error. ValueError: no"


def test_it_cancels_a_late_job_and_fires_when_the_job_has_ended(emr_world, job):
    event = asyncio.run(first_event(trigger_for(job, deadline=time.time())))
    assert (event["outcome"], event["late"], event["job"]["phase"]) == ("ended", "PENDING", "CANCELLED")
    assert emr_world.states == ["CANCELLED"]


def test_what_an_earlier_version_deferred_still_works(emr_world, job):
    emr_world.work()
    watch = {**asdict(RunWatch(job, None, 0.02, 3))}
    trigger = SparkRunTrigger(watch=watch, cancel_on_kill=True, aws_conn_id=None, region_name="us-east-1")
    assert asyncio.run(first_event(trigger))["job"]["phase"] == "SUCCEEDED"


def test_a_service_that_is_away_for_a_while_changes_nothing(emr_world, job):
    emr_world.fail("describe_step", times=2)
    emr_world.work()
    assert asyncio.run(first_event(trigger_for(job)))["outcome"] == "ended"


def test_a_service_that_stays_away_is_told_and_leaves_the_job_alone(emr_world, job):
    emr_world.fail("describe_step", times=3)
    event = asyncio.run(first_event(trigger_for(job)))
    assert (event["outcome"], emr_world.states) == ("lost", ["PENDING"])
    assert "3 times in a row without an answer" in event["message"]


def test_the_event_loop_is_free_while_it_asks(emr_world, job):
    asked, ticked, went_on = threading.Event(), threading.Event(), []

    def answer_after_a_tick() -> None:
        asked.set()
        went_on.append(ticked.wait(20))

    async def tick_while_waiting() -> None:
        task = asyncio.create_task(first_event(trigger_for(job)))
        while not task.done():
            await asyncio.sleep(0.001)
            if asked.is_set():
                ticked.set()

    emr_world.before("describe_step", answer_after_a_tick)
    emr_world.work()
    asyncio.run(tick_while_waiting())
    assert went_on == [True]


@pytest.mark.parametrize(("poll_interval", "seconds"), [(30, 20), (2, 20), (1, 20), (0.02, 0.2)])
def test_it_has_a_minimum_age(poll_interval, seconds):
    assert minimum_age(poll_interval) == seconds


def test_it_does_not_fire_while_the_scheduler_may_still_see_the_end_of_the_task_s_process(emr_world, job):
    emr_world.end(emr_world.steps[0])
    begun = time.monotonic()
    assert asyncio.run(first_event(trigger_for(job, poll_interval=0.03)))["outcome"] == "ended"
    assert time.monotonic() - begun >= 0.3


def test_time_that_a_slow_answer_takes_is_part_of_the_pause(emr_world, job):
    emr_world.before("describe_step", lambda: time.sleep(0.5))
    asked = emr_world.count("describe_step")
    event = asyncio.run(first_event(trigger_for(job, poll_interval=0.6, deadline=time.time() + 0.4)))
    assert (event["late"], event["job"]["phase"]) == ("PENDING", "CANCELLED")
    assert len(asked) == 3


# When it is stopped


@pytest.fixture
def task_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str | None], None]:
    """Sets the state of the trigger's task in Airflow's metadata database; before 3.3 the trigger has to look there."""
    if TRIGGERS_HAVE_ON_KILL:
        return lambda state: None
    from airflow import settings
    from sqlalchemy import create_engine

    database = tmp_path / "metadata.db"
    monkeypatch.setattr(settings, "engine", create_engine(f"sqlite:///{database}"))

    def set_state(state: str | None) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DROP TABLE IF EXISTS task_instance")
            connection.execute("CREATE TABLE task_instance (dag_id, task_id, run_id, map_index, state)")
            connection.execute("INSERT INTO task_instance VALUES (?, ?, ?, ?, ?)", (*KEY.values(), state))

    set_state("deferred")
    return set_state


async def stop(trigger: SparkRunTrigger, *message: str) -> None:
    """Cancel a running trigger as the triggerer does; Airflow 3.3 calls ``on_kill`` when a person caused it."""
    trigger.task_instance = SimpleNamespace(**KEY)
    task = asyncio.create_task(first_event(trigger))
    await asyncio.sleep(0.1)
    task.cancel(*message)
    with pytest.raises(asyncio.CancelledError) as error:
        await task
    if TRIGGERS_HAVE_ON_KILL and error.value.args == ("__airflow_user_action__",):
        await trigger.on_kill()


@pytest.mark.parametrize("state", ["failed", "success", None], ids=["marked failed", "marked success", "cleared"])
def test_a_person_who_kills_the_task_cancels_the_job(emr_world, job, task_state, state):
    task_state(state)
    asyncio.run(stop(trigger_for(job, poll_interval=30), "__airflow_user_action__"))
    assert emr_world.states == ["CANCELLED"]


def test_a_kill_while_a_request_is_under_way_cancels_the_job_too(emr_world, job, task_state):
    task_state("failed")
    emr_world.before("describe_step", lambda: time.sleep(0.3))
    asyncio.run(stop(trigger_for(job), "__airflow_user_action__"))
    assert emr_world.states == ["CANCELLED"]


def test_a_kill_during_throttling_cancels_the_job(emr_world, job, monkeypatch):
    monkeypatch.setattr(spark_run, "CANCEL_PAUSE", 0.01)
    emr_world.fail("cancel_steps", times=20, code="ThrottlingException")
    asyncio.run(trigger_for(job).on_kill())
    assert emr_world.states == ["CANCELLED"]


def test_a_kill_goes_on_after_airflow_no_longer_waits_for_it(emr_world, job, monkeypatch):
    monkeypatch.setattr(spark_run, "CANCEL_PAUSE", 0.01)
    emr_world.fail("cancel_steps", times=20, code="ThrottlingException")

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(trigger_for(job).on_kill(), timeout=0.05)
        while emr_world.states != ["CANCELLED"]:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(impatient(), timeout=20))


def test_a_killed_task_s_job_that_ignores_the_signal_to_stop_is_killed_too(emr_world, job, monkeypatch):
    monkeypatch.setattr(spark_run, "END_PAUSE", 0.01)
    monkeypatch.setattr(job_wait, "FORCE_AFTER", 0.03)
    (step,) = emr_world.steps
    step.state = "RUNNING"
    emr_world.each("cancel_steps", lambda: step.state == "CANCEL_PENDING" and emr_world.end(step, "CANCELLED"))

    async def kill() -> list[str]:
        await trigger_for(job).on_kill()
        states = list(emr_world.states)
        while emr_world.states != ["CANCELLED"]:
            await asyncio.sleep(0.01)
        return states

    assert asyncio.run(asyncio.wait_for(kill(), timeout=20)) == ["CANCEL_PENDING"]


def test_with_cancel_on_kill_off_the_job_goes_on(emr_world, job, task_state):
    task_state("failed")
    asyncio.run(stop(trigger_for(job, cancel_on_kill=False), "__airflow_user_action__"))
    assert emr_world.states == ["PENDING"]


def test_a_triggerer_that_stops_does_not_cancel_the_job(emr_world, job, task_state):
    asyncio.run(stop(trigger_for(job)))
    assert emr_world.states == ["PENDING"]
