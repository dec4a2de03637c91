"""What becomes of the jobs under each operator when something goes wrong: the table on docs/emr_spark_scoring.md."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.amazon.aws.operators.emr import (
    EmrAddStepsOperator,
    EmrContainerOperator,
    EmrServerlessStartJobOperator,
)

from airflow_agari_provider.operators.emr_spark_scoring import EmrCluster, EmrOnEks, EmrServerless
from airflow_agari_provider.triggers import spark_run
from tests.operators.test_emr_spark_scoring import ScoringTask, moved

PAGE = Path(__file__).parents[2] / "docs" / "emr_spark_scoring.md"
ROLE = "arn:aws:iam::123456789012:role/scoring"
WHERE = {"aws_conn_id": None, "region_name": "us-east-1", "task_id": "score"}
LIVE = ("PENDING", "SUBMITTED", "RUNNING", "CANCEL_PENDING", "CANCELLING")
SPARK = {"entryPoint": "s3://agari/score.py"}
RELEASE = "emr-7.9.0-latest"


@dataclass
class Amazon:
    """A task with an operator of the Amazon provider. Each attempt has an operator of its own, as in Airflow."""

    world: Any
    new: Callable[[], Any]

    def __post_init__(self) -> None:
        self.task = ScoringTask(self.world, False)
        self.task.arguments = {"target": EmrCluster(name="scoring")}
        self.last = self.new()

    def attempt(self) -> None:
        self.last = self.new()
        self.last.execute(self.task.context(self.task.operator()))

    def kill(self) -> None:
        self.last.on_kill()

    def clear(self) -> None:
        pass


@dataclass
class Ours:
    """A task with the operator of this package, deferred, on a target."""

    world: Any
    target: Any

    def __post_init__(self) -> None:
        self.task = ScoringTask(self.world, True)
        self.task.arguments = {"target": self.target}
        self.last: Any = None

    def attempt(self) -> None:
        self.last = self.task.start()
        if self.last.method_name == "start_again":  # a job has to end first
            self.last = self.task.resume(self.last)

    def kill(self) -> None:
        asyncio.run(moved(self.last.trigger).on_kill())

    def clear(self) -> None:
        self.task.clear()


def on_a_cluster(request: Any, ours: bool) -> tuple[Any, str, str]:
    world = request.getfixturevalue("emr_world")
    cluster_id = world.cluster("scoring", concurrency=4)
    jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", "s3://agari/score.py"]}
    steps = [{"Name": "x", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}]
    new = lambda: EmrAddStepsOperator(job_flow_id=cluster_id, steps=steps, **WHERE)  # noqa: E731
    task = Ours(world, EmrCluster(name="scoring")) if ours else Amazon(world, new)
    return task, "add_job_flow_steps", "cancel_steps"


def on_serverless(request: Any, ours: bool) -> tuple[Any, str, str]:
    world = request.getfixturevalue("serverless_world")
    job = {"application_id": world.application_id, "execution_role_arn": ROLE, "job_driver": {"sparkSubmit": SPARK}}
    new = lambda: EmrServerlessStartJobOperator(**job, wait_for_completion=False, **WHERE)  # noqa: E731
    task = Ours(world, EmrServerless(name="scoring", execution_role_arn=ROLE)) if ours else Amazon(world, new)
    return task, "start_job_run", "cancel_job_run"


def on_eks(request: Any, ours: bool) -> tuple[Any, str, str]:
    world = request.getfixturevalue("eks_world")
    job = {"virtual_cluster_id": world.virtual_cluster_id, "execution_role_arn": ROLE, "release_label": RELEASE}
    driver = {"sparkSubmitJobDriver": SPARK}
    where = {name: value for name, value in WHERE.items() if name != "region_name"}
    new = lambda: EmrContainerOperator(  # noqa: E731
        **job, name="score", job_driver=driver, wait_for_completion=False, region_name="us-east-1", **where
    )
    task = Ours(world, EmrOnEks(world.virtual_cluster_id, ROLE, RELEASE)) if ours else Amazon(world, new)
    return task, "start_job_run", "cancel_job_run"


def die_after_the_submission(task: Any, submit: str, cancel: str) -> None:
    task.attempt()
    task.attempt()


def lose_the_answer(task: Any, submit: str, cancel: str) -> None:
    task.world.fail(submit, carried_out=True)
    with suppress(Exception):
        task.attempt()
    task.attempt()


def fail_once(task: Any, submit: str, cancel: str) -> None:
    task.attempt()
    task.world.end(task.world.steps[0], "FAILED")
    task.attempt()


def be_killed(task: Any, submit: str, cancel: str) -> None:
    task.attempt()
    task.kill()


def be_killed_while_throttled(task: Any, submit: str, cancel: str) -> None:
    task.attempt()
    task.world.fail(cancel, times=10, code="ThrottlingException")
    with suppress(Exception):
        task.kill()


def be_cleared_after_the_worker_died(task: Any, submit: str, cancel: str) -> None:
    task.attempt()
    task.clear()
    task.attempt()


FAULTS: dict[str, Any] = {
    "the worker dies after the submission, then a retry": die_after_the_submission,
    "the answer to the submission is lost, then a retry": lose_the_answer,
    "the job fails, then a retry": fail_once,
    "the task is killed": be_killed,
    "the task is killed while AWS throttles": be_killed_while_throttled,
    "the worker died, then a person clears the task": be_cleared_after_the_worker_died,
}
PLACES = {
    "EmrAddStepsOperator": on_a_cluster,
    "EmrServerlessStartJobOperator": on_serverless,
    "EmrContainerOperator": on_eks,
}
HEAD = ["", *PLACES, "EmrSparkScoringOperator"]


def row(fault: str) -> list[str]:
    """The row of the page's table, as its cells."""
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {fault} |")]
    assert len(lines) == 1, f"docs/emr_spark_scoring.md has no row {fault!r}"
    return [cell.strip() for cell in lines[0].strip("|").split("|")]


@pytest.mark.parametrize("ours", [False, True], ids=["theirs", "ours"])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_table_shows_what_becomes_of_the_jobs(request, monkeypatch, fault, place, ours):
    monkeypatch.setattr(spark_run, "CANCEL_PAUSE", 0.01)
    task, submit, cancel = PLACES[place](request, ours)
    FAULTS[fault](task, submit, cancel)
    states = task.world.states
    live = sum(state in LIVE for state in states)
    cell = row(fault)[HEAD.index("EmrSparkScoringOperator" if ours else place)]
    assert cell == f"{len(states)} submitted, {live} live", states
