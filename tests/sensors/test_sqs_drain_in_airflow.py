"""The sensor run by Airflow itself: what survives a reschedule and a retry, and that it cleans up."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

DAG_FILE = """
import os
from datetime import datetime, timedelta

from airflow_agari_provider.airflow_compat import DAG
from airflow_agari_provider.sensors.sqs_drain import SqsDrainSensor


def kill_one_message():
    import boto3

    sqs = boto3.client("sqs")
    sqs.send_message(QueueUrl=os.environ["DEAD"], MessageBody="poison")


class DeadLetterAfterEachPoke(SqsDrainSensor):
    def poke(self, context):
        result = super().poke(context)
        kill_one_message()
        return result


class DiesInItsFirstTry(SqsDrainSensor):
    def poke(self, context):
        result = super().poke(context)
        if context["ti"].try_number == 1:
            kill_one_message()
            raise RuntimeError("as if the worker had died")
        return result


with DAG("drain", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    wait = {"queue_url": os.environ["QUEUE"], "aws_conn_id": None, "quiet_period": 2, "timeout": 60}
    fast = {"poke_interval": 0.5, **wait}
    again = {"retries": 1, "retry_delay": timedelta(0), "trigger_rule": "all_done"}
    poke = SqsDrainSensor(task_id="poke", **fast)
    defer = SqsDrainSensor(task_id="defer", deferrable=True, **fast, **again)
    reschedule = SqsDrainSensor(task_id="reschedule", mode="reschedule", **wait)
    poison = DeadLetterAfterEachPoke(task_id="poison", mode="reschedule", **wait)
    retry = DiesInItsFirstTry(task_id="retry", **fast, **again)
    for task in (reschedule, poison):
        task.poke_interval = 0.5  # faster than users may, who have executors
    poke >> defer >> reschedule >> poison >> retry
"""

RUN = """
import json, runpy, sys

from airflow.utils.db import initdb

initdb()
run = runpy.run_path(sys.argv[1])["dag"].test()

from airflow.models import Variable
from airflow.utils.session import create_session

with create_session() as session:
    left = [variable.key for variable in session.query(Variable)]
states = {ti.task_id: [str(ti.state), ti.try_number] for ti in run.get_task_instances()}
print("RESULT", json.dumps({"states": states, "variables": left}))
"""


@pytest.fixture
def airflow(aws, tmp_path):
    """Environment of an Airflow of this test's own."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "drain.py").write_text(DAG_FILE)
    return os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
    }


@pytest.mark.end_to_end
def test_a_wait_remembers_over_reschedules_and_tries_and_cleans_up(sqs, queue_url, airflow, tmp_path):
    dead = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})

    run = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path / "dags" / "drain.py")],
        env=airflow | {"QUEUE": queue_url, "DEAD": dead},
        capture_output=True,
        text=True,
        timeout=300,
    )
    results = [line for line in run.stdout.splitlines() if line.startswith("RESULT ")]
    assert results, run.stdout[-3000:] + run.stderr[-3000:]
    assert json.loads(results[0].removeprefix("RESULT ")) == {
        "states": {
            "poke": ["success", 1],
            "defer": ["success", 1],
            "reschedule": ["success", 1],
            "poison": ["failed", 1],
            "retry": ["failed", 2],
        },
        "variables": [],
    }
    assert run.stdout.count("grew from 0 to") + run.stderr.count("grew from 0 to")
