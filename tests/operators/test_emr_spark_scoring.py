from __future__ import annotations

import asyncio
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_agari_provider.airflow_compat import DAG, AirflowException, AirflowFailException, TaskDeferred
from airflow_agari_provider.operators import emr_spark_scoring
from airflow_agari_provider.operators.emr_spark_scoring import (
    EmrCluster,
    EmrOnEks,
    EmrServerless,
    EmrSparkScoringOperator,
    LivySpark,
)
from airflow_agari_provider.scoring import cancelling
from airflow_agari_provider.scoring.job_files import ScriptMissing
from airflow_agari_provider.triggers.spark_run import SparkRunTrigger

CREATE = {
    "ReleaseLabel": "emr-7.9.0",
    "LogUri": "s3://agari/logs/",
    "Instances": {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1},
}


class WorkerDied(BaseException):
    """What kill -9 looks like from inside: nothing runs any more."""


class ScoringTask:
    """A task of a DAG run, whose attempts a test makes one by one: each with an operator of its own, as in Airflow."""

    def __init__(self, world: Any, deferrable: bool) -> None:
        self.world = world
        self.deferrable = deferrable
        self.tries = 0
        self.generation = 0
        self.retries = 2
        self.start_date: datetime | None = datetime.now(UTC)
        self.xcoms: dict[str, Any] = {}
        self.arguments: dict[str, Any] = {"target": EmrCluster(name="scoring", create=CREATE)}

    def operator(self, **arguments: Any) -> EmrSparkScoringOperator:
        defaults = {
            "task_id": "score",
            "script": "s3://agari/score.py",
            "retries": self.retries,
            "poll_interval": 0.02,
            "log_timeout": timedelta(0),
            "deferrable": self.deferrable,
            "aws_conn_id": None,
            "region_name": "us-east-1",
        }
        return EmrSparkScoringOperator(**{**defaults, **self.arguments, **arguments})

    def context(self, operator: EmrSparkScoringOperator) -> Any:
        ti = SimpleNamespace(
            dag_id="telemetry",
            task_id="score",
            run_id="hour_5",
            map_index=-1,
            try_number=self.tries,
            max_tries=self.generation + self.retries,
            start_date=self.start_date,
            task=operator,
            xcom_push=self.push,
        )
        dag_run = SimpleNamespace(run_after=datetime.now(UTC), logical_date=None, data_interval_end=None)
        return {"ti": ti, "dag_run": dag_run}

    def push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def clear(self) -> None:
        self.generation = self.tries

    def start(self, **arguments: Any) -> Any:
        """The next attempt, until it has ended or deferred."""
        self.tries += 1
        self.start_date = self.start_date and datetime.now(UTC)
        operator = self.operator(**arguments)
        try:
            return operator.execute(self.context(operator))
        except TaskDeferred as deferred:
            return deferred

    def attempt(self, **arguments: Any) -> dict[str, Any]:
        """The next attempt, to its end."""
        result = self.start(**arguments)
        while isinstance(result, TaskDeferred):
            result = self.resume(result, **arguments)
        return result

    def resume(self, deferred: TaskDeferred, **arguments: Any) -> Any:
        """The part of an attempt after a deferral, until it has ended or deferred again."""
        event = asyncio.run(first_event(moved(deferred.trigger)))
        operator = self.operator(**arguments)
        assert not deferred.kwargs  # `airflow dags test` would lose them
        try:
            return getattr(operator, deferred.method_name)(self.context(operator), event=event)
        except TaskDeferred as again:
            return again


def moved(trigger: Any) -> SparkRunTrigger:
    """The trigger in another triggerer: its arguments went through the metadata database."""
    return SparkRunTrigger(**json.loads(json.dumps(trigger.serialize()[1])))


async def first_event(trigger: SparkRunTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        return json.loads(json.dumps(event.payload))
    raise AssertionError("no event")


@pytest.fixture(params=[False, True], ids=["sync", "deferred"])
def task(emr_world: Any, request: pytest.FixtureRequest) -> ScoringTask:
    emr_world.cluster("scoring")
    return ScoringTask(emr_world, request.param)


@pytest.fixture
def sync_task(emr_world: Any) -> ScoringTask:
    """For what is the same in both modes, because it comes before the wait or after it."""
    emr_world.cluster("scoring")
    return ScoringTask(emr_world, False)


@pytest.fixture
def at_first_pause(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has something happen while an attempt waits in a worker."""

    def install(action: Callable[[], None]) -> None:
        def sleep(seconds: float) -> None:
            monkeypatch.setattr(emr_spark_scoring, "time", time)
            action()

        clock = SimpleNamespace(sleep=sleep, time=time.time, monotonic=time.monotonic)
        monkeypatch.setattr(emr_spark_scoring, "time", clock)

    return install


# The invariant: never two live jobs for one task run, and every job ends finished or cancelled.


def die_after_submit(task: ScoringTask, at_first_pause: Any) -> None:
    def die(key: str, value: Any) -> None:
        raise WorkerDied

    task.push, push = die, task.push
    with pytest.raises(WorkerDied):
        task.start()
    task.push = push


def die_while_polling(task: ScoringTask, at_first_pause: Any) -> None:
    if task.deferrable:
        deferred = task.start()
        task.world.work()
        assert task.resume(deferred)["rejoined"] is False  # a triggerer that dies costs nothing: the next one goes on
        return

    def die() -> None:
        raise WorkerDied

    at_first_pause(die)
    with pytest.raises(WorkerDied):
        task.start()


def time_out(task: ScoringTask, at_first_pause: Any) -> None:
    with pytest.raises(AirflowException, match="was cancelled and ended CANCELLED"):
        task.attempt(step_timeout=timedelta(seconds=0.05))


def be_killed(task: ScoringTask, at_first_pause: Any) -> None:
    if task.deferrable:
        deferred = task.start()
        asyncio.run(moved(deferred.trigger).on_kill())
        return
    operator = task.operator()
    task.tries += 1
    at_first_pause(operator.on_kill)
    with pytest.raises(AirflowException, match="The task was killed"):
        operator.execute(task.context(operator))


def be_cleared_while_unwatched(task: ScoringTask, at_first_pause: Any) -> None:
    die_after_submit(task, at_first_pause)
    task.world.steps[0].state = "RUNNING"
    task.world.before("describe_step", lambda: task.world.end(task.world.steps[0], "CANCELLED"))
    task.clear()


def lose_the_service_for_a_while(task: ScoringTask, at_first_pause: Any) -> None:
    task.world.fail("describe_step", times=9)
    if task.deferrable:
        task.world.work()
    task.world.work()


def lose_the_service(task: ScoringTask, at_first_pause: Any) -> None:
    task.world.fail("describe_step", times=10)
    with pytest.raises(AirflowException, match="10 times in a row without an answer"):
        task.attempt()


def lose_the_answer_to_the_submission(task: ScoringTask, at_first_pause: Any) -> None:
    task.world.fail("add_job_flow_steps", carried_out=True)


def fail(task: ScoringTask, at_first_pause: Any) -> None:
    task.world.before("describe_step", lambda: task.world.end(task.world.steps[0], "FAILED"))
    with pytest.raises(AirflowException, match="ended FAILED"):
        task.attempt()


@pytest.mark.parametrize(
    ("incident", "states", "rejoined"),
    [
        (die_after_submit, ["COMPLETED"], True),
        (die_while_polling, ["COMPLETED"], True),
        (time_out, ["CANCELLED", "COMPLETED"], False),
        (be_killed, ["CANCELLED", "COMPLETED"], False),
        (be_cleared_while_unwatched, ["CANCELLED", "COMPLETED"], False),
        (lose_the_service_for_a_while, ["COMPLETED"], False),
        (lose_the_service, ["COMPLETED"], True),
        (lose_the_answer_to_the_submission, ["COMPLETED"], True),
        (fail, ["FAILED", "COMPLETED"], False),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_after_any_incident_at_most_one_job_is_live(task, at_first_pause, incident, states, rejoined):
    incident(task, at_first_pause)
    task.world.rest()
    task.world.work()
    result = task.attempt()
    assert (task.world.states, result["rejoined"], task.world.twins) == (states, rejoined, [])
    assert result["job_id"] == task.world.steps[-1].id


# A run


def test_a_run_returns_what_was_done(task):
    task.world.work()
    result = task.attempt()
    (step,) = task.world.steps
    assert result.pop("seconds") >= 0
    assert result.pop("usage").keys() == {"running_seconds", "cluster_normalized_instance_hours"}
    assert result == {
        "job_id": step.id,
        "cluster_id": next(iter(task.world.clusters)),
        "run_token": "ac3ce6b776f81930dec9515af18adfc3",
        "state": "SUCCEEDED",
        "rejoined": False,
        "counts": {},
        "counts_url": None,
    }
    json.dumps(result)


def test_a_local_script_is_uploaded_and_its_arguments_passed_on(sync_task, bucket, tmp_path):
    script, library = tmp_path / "score.py", tmp_path / "weights.py"
    script.write_text("print(1)\n")
    library.write_text("print(1)\n")
    sync_task.arguments |= {
        "script": str(script),
        "script_prefix": "s3://agari/scripts/",
        "arguments": ["--hour", 5],
        "spark_conf": {"spark.executor.cores": 4},
        "py_files": [str(library)],
        "avro": False,
    }
    sync_task.world.work()
    sync_task.attempt()
    assert sync_task.world.steps[0].args == [
        "spark-submit",
        "--deploy-mode",
        "client",
        "--conf",
        "spark.executor.cores=4",
        "--conf",
        "spark.agari.task_run=telemetry/hour_5/score/-1/0/cancel",
        "--conf",
        "spark.agari.run_token=ac3ce6b776f81930dec9515af18adfc3",
        "--py-files",
        "s3://agari/scripts/cc42155088fca573/weights.py",
        "s3://agari/scripts/cc42155088fca573/score.py",
        "--hour",
        "5",
    ]
    assert sync_task.world.steps[0].name == "telemetry.score hour_5"


def test_a_cluster_is_created_where_none_lives(sync_task, bucket):
    for cluster in sync_task.world.clusters.values():
        cluster.terminate()
    sync_task.world.work()
    result = sync_task.attempt()
    assert [cluster.name for cluster in sync_task.world.clusters.values()] == ["scoring", "scoring"]
    assert sync_task.world.clusters[result["cluster_id"]].idle_timeout == 3600


def fail_to_start(world: Any, reason: str) -> None:
    cluster = list(world.clusters.values())[-1]
    cluster.terminate()
    cluster.state, cluster.last_state_change_reason, cluster.ready_datetime = "TERMINATED_WITH_ERRORS", reason, None


def test_a_job_whose_new_cluster_did_not_start_is_tried_on_another(task, caplog):
    task.world.clusters.clear()

    def first_cluster_fails() -> None:
        fail_to_start(task.world, "No m5.xlarge is available")
        task.world.before("run_job_flow", task.world.work)

    task.world.before("describe_step", first_cluster_fails)
    assert task.attempt()["rejoined"] is False
    assert task.world.states == ["CANCELLED", "COMPLETED"]
    assert "EMR says: No m5.xlarge is available" in caplog.text


def test_a_second_cluster_that_does_not_start_fails_the_task_with_both_reasons(task):
    task.world.clusters.clear()
    reasons = ["no capacity", "still no capacity"]

    def fail_again() -> None:
        fail_to_start(task.world, reasons.pop(0))
        task.world.before("run_job_flow", lambda: task.world.before("describe_step", fail_again))

    task.world.before("describe_step", fail_again)
    with pytest.raises(AirflowException) as error:
        task.attempt()
    assert "ended with errors. EMR says: still no capacity\nThe cluster before it did not start either. " in str(
        error.value
    )
    assert "EMR says: no capacity" in str(error.value)
    assert len(task.world.clusters) == 2


def test_counts_of_the_job_are_returned(sync_task, bucket):
    sync_task.world.s3.put_object(
        Bucket="agari", Key="counts/part-0", Body=b'{"stage": "read", "key": "1", "count": 14}'
    )
    sync_task.world.work()
    result = sync_task.attempt(counts_url="s3://agari/counts/")
    assert (result["counts"], result["counts_url"]) == ({"read": {"1": 14}}, "s3://agari/counts/")


def test_counts_that_are_missing_fail_the_task_and_a_retry_does_not_repeat_the_job(task, bucket):
    task.world.work()
    with pytest.raises(Exception, match="The Spark job succeeded, but its counts cannot be read: there are no files"):
        task.attempt(counts_url="s3://agari/counts/")
    task.world.s3.put_object(Bucket="agari", Key="counts/_SUCCESS", Body=b"")
    result = task.attempt(counts_url="s3://agari/counts/")
    assert (result["rejoined"], result["counts"], task.world.states) == (True, {}, ["COMPLETED"])


def test_a_job_that_succeeded_is_not_failed_by_usage_that_cannot_be_read(sync_task):
    sync_task.world.before("describe_step", lambda: sync_task.world.fail("describe_cluster", times=5))
    sync_task.world.work()
    assert sync_task.attempt()["usage"].keys() == {"running_seconds"}


def test_a_failed_job_tells_why(sync_task, bucket):
    for cluster in sync_task.world.clusters.values():
        cluster.log_uri = "s3://agari/logs/"
    (cluster_id,) = sync_task.world.clusters

    def fail_with_log() -> None:
        (step,) = sync_task.world.steps
        url = f"s3://agari/logs/{cluster_id}/steps/{step.id}/stderr.gz"
        sync_task.world.put_log(url, "Traceback\nValueError: no such column: trust\n")
        sync_task.world.end(step, "FAILED", Reason="Unknown Error.")

    sync_task.world.before("describe_step", fail_with_log)
    with pytest.raises(
        AirflowException, match=r"Unknown Error. ValueError: no such column: trust\nLast lines of s3://"
    ):
        sync_task.attempt()


def test_a_step_that_emr_would_refuse_is_not_retried(sync_task):
    with pytest.raises(AirflowFailException, match="EMR allows 10240"):
        sync_task.attempt(arguments=["x" * 11_000])


@pytest.mark.parametrize("name", ["arguments", "jars", "py_files"])
def test_one_text_in_place_of_a_list_is_an_error_and_not_a_list_of_letters(sync_task, name):
    with pytest.raises(TypeError, match=f"{name} must be a list of strings, not one string: 's3://agari/a'"):
        sync_task.attempt(**{name: "s3://agari/a"})
    assert sync_task.world.states == []


def test_a_wrong_counts_url_is_found_before_the_job_is_submitted(sync_task):
    with pytest.raises(ValueError, match="'/counts' is not an S3 URL"):
        sync_task.attempt(counts_url="/counts")
    assert sync_task.world.states == []


def test_a_kill_while_aws_is_away_is_still_a_kill(emr_world, at_first_pause):
    emr_world.cluster("scoring")
    task = ScoringTask(emr_world, False)
    operator = task.operator()
    emr_world.fail("cancel_steps")
    at_first_pause(operator.on_kill)
    with pytest.raises(AirflowException, match="The task was killed"):
        operator.execute(task.context(operator))
    assert emr_world.states == ["CANCELLED"]  # Airflow 3 lets the task go on, and it tries again


def test_a_local_script_without_a_place_is_not_retried(sync_task):
    with pytest.raises(AirflowFailException, match="Pass script_prefix"):
        sync_task.attempt(script="/tmp/score.py")


def test_a_job_that_succeeds_while_it_is_cancelled_as_late_counts(task):
    task.world.before("cancel_steps", lambda: task.world.end(task.world.steps[0]))
    assert task.attempt(step_timeout=timedelta(seconds=0.05))["state"] == "SUCCEEDED"


def test_time_spent_waiting_counts_from_submission_and_not_from_the_retry(task, at_first_pause):
    die_after_submit(task, at_first_pause)
    task.world.steps[0].creation_date_time -= timedelta(hours=2)
    with pytest.raises(AirflowException, match=r"was still PENDING at its deadline \(step_timeout 1:00:00"):
        task.attempt(step_timeout=timedelta(hours=1))
    assert task.world.states == ["CANCELLED"]


def test_execution_timeout_cancels_the_job_before_airflow_ends_the_task(task):
    with pytest.raises(AirflowException, match=r"execution_timeout 0:00:00.200000\): it was cancelled"):
        task.attempt(execution_timeout=timedelta(seconds=0.2))
    assert task.world.states == ["CANCELLED"]


def test_with_the_last_try_lost_the_job_is_cancelled(task):
    task.retries = 0
    lose_the_service(task, None)
    assert task.world.states == ["CANCELLED"]


@pytest.mark.parametrize(("retries", "states"), [(1, ["PENDING"]), (0, ["CANCELLED"])], ids=["a retry is left", "last"])
def test_whatever_is_raised_after_the_submission_leaves_no_job_without_an_owner(task, retries, states):
    task.retries = retries
    task.start_date = None  # an error of no kind that the operator knows
    with pytest.raises(AttributeError):
        task.attempt(execution_timeout=timedelta(hours=1))
    assert task.world.states == states


def test_at_the_last_try_a_job_that_an_earlier_try_left_is_cancelled_if_this_one_cannot_rejoin_it(task, at_first_pause):
    die_after_submit(task, at_first_pause)
    task.retries = 1
    with pytest.raises(ScriptMissing):
        task.attempt(script="/nowhere/score.py", script_prefix="s3://agari/scripts/")
    assert task.world.states == ["CANCELLED"]


def test_a_link_that_cannot_be_stored_does_not_fail_the_task(task):
    def away(key: str, value: Any) -> None:
        raise RuntimeError("502 Bad Gateway")

    task.push = away
    task.world.work()
    assert task.attempt()["state"] == "SUCCEEDED"


def test_a_kill_during_throttling_cancels_the_job(emr_world, at_first_pause, monkeypatch):
    monkeypatch.setattr(cancelling, "PAUSE", 0.01)
    emr_world.cluster("scoring")
    task = ScoringTask(emr_world, False)
    operator = task.operator()
    emr_world.fail("cancel_steps", times=20, code="ThrottlingException")
    at_first_pause(operator.on_kill)
    with pytest.raises(AirflowException, match=r"The task was killed; Spark job .* was cancelled"):
        operator.execute(task.context(operator))
    assert emr_world.states == ["CANCELLED"]


def test_the_end_of_a_job_from_before_a_clear_is_awaited_without_a_slot(emr_world):
    emr_world.cluster("scoring")
    task = ScoringTask(emr_world, True)
    task.start()
    emr_world.steps[0].state = "RUNNING"
    task.clear()
    waiting = task.start()
    assert (waiting.method_name, emr_world.states) == ("start_again", ["RUNNING"])

    def cancel() -> None:
        for step in emr_world.steps:
            if step.state == "CANCEL_PENDING":
                emr_world.end(step, "CANCELLED")

    emr_world.each("describe_step", cancel)
    result = task.resume(waiting)
    assert emr_world.states == ["CANCELLED", "PENDING"]
    emr_world.work()
    assert task.resume(result)["rejoined"] is False


def test_with_cancel_on_kill_off_a_killed_tasks_job_goes_on(emr_world, at_first_pause):
    emr_world.cluster("scoring")
    task = ScoringTask(emr_world, False)
    operator = task.operator(cancel_on_kill=False)
    at_first_pause(operator.on_kill)
    with pytest.raises(AirflowException, match="was not cancelled"):
        operator.execute(task.context(operator))
    assert emr_world.states == ["PENDING"]


@pytest.mark.parametrize("carried_out", [True, False], ids=["taken", "not taken"])
def test_a_kill_in_the_middle_of_the_submission_leaves_no_job(emr_world, carried_out, monkeypatch):
    emr_world.cluster("scoring")
    task = ScoringTask(emr_world, False)
    operator = task.operator()

    def killed(*arguments: Any) -> Any:
        operator.on_kill()
        raise WorkerDied  # Airflow 2.11 raises out of the signal handler

    emr_world.fail("add_job_flow_steps", carried_out=carried_out)
    monkeypatch.setattr(operator, "_patience", lambda: emr_spark_scoring.Patience(sleep=killed))
    with pytest.raises(WorkerDied):
        operator.execute(task.context(operator))
    assert emr_world.states == (["CANCELLED"] if carried_out else [])


# On EMR Serverless


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferred"])
def test_a_job_on_emr_serverless_is_waited_for(serverless_world, deferrable):
    role = "arn:aws:iam::123456789012:role/scoring"
    task = ScoringTask(serverless_world, deferrable)
    task.arguments = {"target": EmrServerless(name="scoring", execution_role_arn=role)}
    serverless_world.work("SUCCESS")
    result = task.attempt()
    assert (result["application_id"], result["state"]) == (serverless_world.application_id, "SUCCEEDED")
    assert (result["job_id"], "cluster_id" in result) == (serverless_world.steps[0].id, False)
    assert result["usage"]["billed_vcpu_hours"] == 0.0


def test_a_late_job_on_emr_serverless_is_cancelled_in_the_triggerer(serverless_world):
    role = "arn:aws:iam::123456789012:role/scoring"
    task = ScoringTask(serverless_world, True)
    task.arguments = {"target": EmrServerless(name="scoring", execution_role_arn=role)}
    with pytest.raises(AirflowException, match="was still PENDING at its deadline"):
        task.attempt(step_timeout=timedelta(0))
    assert serverless_world.states == ["CANCELLED"]


# On EMR on EKS, and by Livy


@pytest.mark.parametrize("deferrable", [False, True], ids=["sync", "deferred"])
def test_a_job_on_emr_on_eks_is_waited_for(eks_world, deferrable):
    task = ScoringTask(eks_world, deferrable)
    role = "arn:aws:iam::123456789012:role/scoring"
    task.arguments = {"target": EmrOnEks(eks_world.virtual_cluster_id, role, "emr-7.9.0-latest")}
    eks_world.work()
    result = task.attempt()
    assert (result["virtual_cluster_id"], result["state"]) == (eks_world.virtual_cluster_id, "SUCCEEDED")
    assert (result["job_id"], result["usage"]) == (eks_world.steps[0].id, {})


@pytest.fixture(params=[False, True], ids=["sync", "deferred"])
def livy_task(livy_world, request, monkeypatch):
    host, port = livy_world.url.removeprefix("http://").split(":")
    monkeypatch.setenv("AIRFLOW_CONN_LIVY", json.dumps({"conn_type": "livy", "host": host, "port": int(port)}))
    task = ScoringTask(livy_world, request.param)
    task.arguments = {"target": LivySpark("livy")}
    return task


def test_a_batch_of_livy_is_waited_for(livy_task):
    livy_task.world.work()
    result = livy_task.attempt()
    assert (result["livy_connection_id"], result["state"], result["job_id"]) == ("livy", "SUCCEEDED", "0")
    assert livy_task.xcoms == {"emr_step_url": f"{livy_task.world.url}/ui/batch/0/log"}


def test_a_late_batch_of_livy_is_cancelled_and_a_failed_one_tells_why(livy_task):
    with pytest.raises(AirflowException, match="was still PENDING at its deadline"):
        livy_task.attempt(step_timeout=timedelta(0))
    livy_task.world.before(
        "get_batch", lambda: livy_task.world.end(livy_task.world.steps[1], "dead", error="ValueError: no")
    )
    with pytest.raises(AirflowException, match=r"ended FAILED: ValueError: no\nLast lines of http"):
        livy_task.attempt()
    assert livy_task.world.states == ["killed", "dead"]


# In a DAG


def test_templates_are_rendered_in_arguments_and_target_without_touching_a_shared_target():
    target = EmrCluster(
        name="scoring-{{ stage }}", create={"LogUri": "s3://{{ stage }}/logs/", "Instances": {"InstanceCount": 2}}
    )
    with DAG("telemetry", schedule=None, start_date=datetime(2016, 4, 28, tzinfo=UTC)):
        operators = [
            EmrSparkScoringOperator(
                task_id=f"score_{number}",
                script="s3://{{ stage }}/score.py",
                arguments=["--hour", "{{ hour }}"],
                spark_conf={"spark.app.name": "{{ stage }}"},
                target=target,
            )
            for number in range(2)
        ]
    operators[0].render_template_fields({"stage": "ep", "hour": "05"})
    operators[1].render_template_fields({"stage": "prod", "hour": "06"})
    assert [operator.target.name for operator in operators] == ["scoring-ep", "scoring-prod"]
    assert operators[0].target.create == {"LogUri": "s3://ep/logs/", "Instances": {"InstanceCount": 2}}
    assert (operators[0].script, operators[0].arguments) == ("s3://ep/score.py", ["--hour", "05"])
    assert operators[0].spark_conf == {"spark.app.name": "ep"}
    assert target.name == "scoring-{{ stage }}"


def test_the_cluster_is_linked_before_the_wait(task):
    deferred_or_result = task.start(step_timeout=timedelta(seconds=0.05)) if task.deferrable else None
    if deferred_or_result is None:
        with pytest.raises(AirflowException):
            task.start(step_timeout=timedelta(seconds=0.05))
    (cluster_id,) = task.world.clusters
    assert task.xcoms == {
        "emr_step_url": f"https://console.aws.amazon.com/emr/home?region=us-east-1#/clusterDetails/{cluster_id}"
    }


def test_a_dag_file_that_uses_it_loads_no_aws_library():
    code = (
        "import sys, airflow_agari_provider.operators.emr_spark_scoring, airflow_agari_provider.triggers.spark_run\n"
        "print(sorted(name for name in sys.modules if name in ('boto3', 'botocore')))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.splitlines()[-1] == "[]"


def test_an_operator_can_be_pickled():
    operator = ScoringTask(None, False).operator()
    assert pickle.loads(pickle.dumps(operator.target)) == operator.target
