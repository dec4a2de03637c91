"""The sensor run by Airflow itself: its quiet period goes on over reschedules, and it cleans up."""

from __future__ import annotations

import json

import pytest

from tests.avro.scored_messages import messages
from tests.sensors.in_airflow import run_dag

DAG_FILE = """
import os
from datetime import datetime, timedelta

from airflow_agari_provider.airflow_compat import DAG
from airflow_agari_provider.operators.avro_s3_import import AvroS3ImportOperator
from airflow_agari_provider.sensors.avro_s3_loaded import AvroS3LoadedSensor

TARGET = {"table": "scored", "sql_conn_id": "target", "aws_conn_id": None}


class LoadedAfterEachLook(AvroS3LoadedSensor):
    def poke(self, context):
        try:
            return super().poke(context)
        finally:
            load = AvroS3ImportOperator(task_id="load", s3_url=self.s3_url, create_table=True, mode="append", **TARGET)
            load.execute(context)


with DAG("loaded", schedule=None, start_date=datetime(2026, 1, 1)) as dag:
    wait = {"queue_url": os.environ["QUEUE"], "quiet_period": 8, "timeout": 240, "trigger_rule": "all_done", **TARGET}
    tasks = [
        LoadedAfterEachLook(task_id="reschedule", s3_url="s3://agari/late/", mode="reschedule", **wait),
        AvroS3LoadedSensor(task_id="defer", s3_url="s3://agari/late/", deferrable=True, **wait),
        AvroS3LoadedSensor(task_id="never", s3_url="s3://agari/never/", mode="reschedule", retries=1, **wait),
    ]
    for before, after in zip(tasks, tasks[1:]):
        before >> after
    for task in tasks:
        task.poke_interval = 0.5  # rescheduled faster than users may, who have executors
"""


@pytest.mark.end_to_end
def test_a_wait_goes_on_over_reschedules_and_cleans_up(s3, bucket, sqs, queue_url, sqlite_path, tmp_path):
    for folder in ("late", "never"):
        s3.put_object(Bucket=bucket, Key=f"{folder}/a.avro", Body=messages(3))
    target = json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)})
    left, printed = run_dag(DAG_FILE, tmp_path, QUEUE=queue_url, AIRFLOW_CONN_TARGET=target)
    assert left == {
        "states": {"reschedule": ["success", 1], "defer": ["success", 1], "never": ["failed", 1]},
        "variables": [],
    }
    assert "was empty for 8 s" in printed
