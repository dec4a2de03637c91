"""
Paths that must not change: users write them, and Airflow's database stores them.

A task that is deferred, a deadline that is not over yet and a callback that waits for its turn are found by their path,
perhaps by a newer version of this package than the one that stored them.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3

WRITTEN_BY_USERS = [
    "operators.avro_s3_import.AvroS3ImportOperator",
    "operators.discrepancy_check.Comparison",
    "operators.discrepancy_check.DiscrepancyCheckOperator",
    "operators.discrepancy_check.Stage",
    "operators.discrepancy_check.Tolerance",
    "operators.emr_spark_scoring.EmrCluster",
    "operators.emr_spark_scoring.EmrSparkScoringOperator",
    "operators.sqs_dead_letters.SqsDeadLetterPurgeOperator",
    "operators.sqs_dead_letters.SqsDeadLetterReportOperator",
    "sensors.sqs_drain.SqsDrainSensor",
    "hooks.victorops.VictorOpsHook",
    "notifications.slack_sla_miss.SlackSlaMissNotifier",
    "notifications.victorops_sla_miss.VictorOpsSlaMissNotifier",
    "slas.DAG_RUN",
    "slas.SlaAlert",
    "slas.set_slas",
    "local.__main__.main",
    # in the example DAG and the docs
    "avro.objects.count_records",
    "avro_import.failures.failure_reason",
    "databases.dialects.dialect_of",
    "queues.depth.read_depth",
]
STORED_BY_AIRFLOW = [
    "triggers.spark_run.SparkRunTrigger",
    "triggers.sqs_drain.SqsDrainTrigger",
    "slas.deadline_callback.on_deadline",
    "airflow_deadlines.TimeOfDayDeadline",
    "operators.emr_step_link.EmrStepLink",
    "plugin.AgariPlugin",
    "provider_info.get_provider_info",
]


def named(path: str):
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"airflow_agari_provider.{module}"), name)


@pytest.mark.parametrize("path", [*WRITTEN_BY_USERS, *STORED_BY_AIRFLOW])
def test_what_users_write_and_airflow_stores_is_where_it_was(path):
    assert named(path) is not None


JOB = {"cluster_id": "j-1", "job_id": "s-1", "phase": "RUNNING", "token": "t", "reason": "", "submitted_at": 1.0}
STORED_TRIGGERS = [
    (
        "airflow_agari_provider.triggers.spark_run.SparkRunTrigger",
        {
            "watch": {
                "job": {**JOB, "started_at": None, "ended_at": None},
                "deadline": None,
                "poll_interval": 30.0,
                "max_poll_errors": 10,
                "rejoined": False,
                "errors": 0,
            },
            "cancel_on_kill": True,
            "aws_conn_id": "aws_default",
            "region_name": None,
        },
    ),
    (
        "airflow_agari_provider.triggers.sqs_drain.SqsDrainTrigger",
        {
            "watch": {"queue_urls": ["https://sqs/q"], "dead_letter_urls": [], "quiet_period": 120.0},
            "aws": {"aws_conn_id": "aws_default", "region_name": None},
            "deadline": 1456511400.0,
        },
    ),
]


@pytest.mark.parametrize(("path", "arguments"), STORED_TRIGGERS, ids=lambda value: str(value).rpartition(".")[2][:20])
def test_a_stored_trigger_is_made_again(path, arguments):
    """As the triggerer does: from the class path and the arguments in the row, which went through JSON."""
    from airflow.models.trigger import Trigger

    row = Trigger(path, json.loads(json.dumps(arguments)))
    module, _, name = row.classpath.rpartition(".")
    trigger = getattr(import_module(module), name)(**row.kwargs)
    assert trigger.serialize()[0] == path
    assert set(trigger.serialize()[1]) == set(arguments)


def test_an_alert_stored_in_an_sla_is_made_again():
    """Alerts travel as JSON in the arguments of a deadline's callback, with the notifier's path."""
    from airflow_agari_provider.slas.sla_alert import sender_of

    specification = {
        "notifier": {
            "path": "airflow_agari_provider.notifications.victorops_sla_miss:VictorOpsSlaMissNotifier",
            "arguments": {"victorops_conn_id": "victorops", "message_type": "CRITICAL"},
        },
        "recovery": None,
        "fallback": None,
        "after": 0.0,
    }
    assert sender_of(specification).name == "VictorOps"


if AIRFLOW_3:  # 2.11 has no deadlines

    def test_a_stored_deadline_is_made_again():
        from airflow_agari_provider.airflow_deadlines import TimeOfDayDeadline, deadline_alert
        from airflow_agari_provider.slas.deadline_callback import ON_DEADLINE

        assert ON_DEADLINE == "airflow_agari_provider.slas.deadline_callback.on_deadline"
        stored = {"reference_type": "TimeOfDayDeadline", "by": "06:00:00 Europe/Berlin"}
        assert TimeOfDayDeadline.deserialize_reference(stored).serialize_reference() == stored
        alert = deadline_alert("queued_at", timedelta(minutes=30), ON_DEADLINE, {"watch": "{}"})
        assert alert.callback.path == ON_DEADLINE

    def test_a_stored_callback_of_a_deadline_is_found_by_its_path():
        from airflow.triggers.callback import CallbackTrigger

        trigger = CallbackTrigger("airflow_agari_provider.slas.deadline_callback.on_deadline", {"watch": "{}"})
        path, kwargs = trigger.serialize()
        assert path == "airflow.triggers.callback.CallbackTrigger"
        callback = named(kwargs["callback_path"].removeprefix("airflow_agari_provider."))
        assert callback.__name__ == "on_deadline"

    def test_a_deadline_in_a_serialized_dag_is_made_again():
        from airflow.serialization import serialized_objects

        from airflow_agari_provider.airflow_compat import DAG
        from airflow_agari_provider.airflow_deadlines import deadline_alert

        path = "airflow_agari_provider.slas.deadline_callback.on_deadline"
        alert = deadline_alert("queued_at", timedelta(minutes=30), path, {"watch": "{}"})
        dag = DAG("stored", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC), deadline=alert)
        serializer = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)  # 3.2
        stored = json.dumps(serializer.to_dict(dag))
        assert path in json.dumps(serializer.from_dict(json.loads(stored)).deadline, default=str)
