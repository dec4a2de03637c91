from __future__ import annotations

import pytest

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.airflow_compat import AirflowException
from airflow_agari_provider.operators.emr_spark_scoring import EmrCluster
from airflow_agari_provider.operators.spark_job_sweep import SparkJobSweepOperator
from tests.operators.test_emr_spark_scoring import ScoringTask

ARGUMENTS = {"task_id": "sweep", "target": EmrCluster(name="scoring"), "aws_conn_id": None, "region_name": "us-east-1"}


@pytest.fixture
def orphan(emr_world, monkeypatch):
    """The job of a task that a person marked failed before the triggerer had begun to wait."""
    emr_world.cluster("scoring")
    ScoringTask(emr_world, True).start()
    states = {("telemetry", "hour_5", "score", -1): "failed"}
    monkeypatch.setattr(airflow_runs, "task_state", lambda *task: states.get(task))  # Airflow's answer
    return emr_world


def test_a_job_without_an_owner_is_cancelled_by_one_sweep(orphan):
    done = SparkJobSweepOperator(**ARGUMENTS).execute({})
    assert (len(done["cancelled"]), orphan.states) == (1, ["CANCELLED"])


def test_a_job_that_could_not_be_cancelled_fails_the_sweep(orphan):
    orphan.fail("cancel_steps", code="ThrottlingException")
    with pytest.raises(AirflowException, match="could not be cancelled and may still run; the next sweep tries again"):
        SparkJobSweepOperator(**ARGUMENTS).execute({})


def test_a_wrong_word_cancels_nothing(orphan):
    with pytest.raises(ValueError, match="on_orphan is one of cancel, report, not 'kill'"):
        SparkJobSweepOperator(**ARGUMENTS, on_orphan="kill").execute({})
    assert orphan.states == ["PENDING"]
