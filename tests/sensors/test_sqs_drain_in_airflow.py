"""The sensor run by Airflow itself: what survives a reschedule and a retry, and that it cleans up."""

from __future__ import annotations

import pytest

from tests.queues.letters import redrive
from tests.sensors.in_airflow import run_dag

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


@pytest.mark.end_to_end
def test_a_wait_remembers_over_reschedules_and_tries_and_cleans_up(sqs, queue_url, tmp_path):
    dead = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    redrive(sqs, queue_url, dead, maximum=3)
    left, printed = run_dag(DAG_FILE, tmp_path, QUEUE=queue_url, DEAD=dead)
    assert left == {
        "states": {
            "poke": ["success", 1],
            "defer": ["success", 1],
            "reschedule": ["success", 1],
            "poison": ["failed", 1],
            "retry": ["failed", 2],
        },
        "variables": [],
    }
    assert printed.count("grew from 0 to")
