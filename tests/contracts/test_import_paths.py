"""
Paths that must not change: users write them, and Airflow's database stores them.

A task that is deferred, a deadline that is not over yet and a callback that waits for its turn are found by their path,
perhaps by a newer version of this package than the one that stored them.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib import import_module
from importlib.metadata import distribution

import pytest

from airflow_agari_provider.airflow_compat import AIRFLOW_3
from airflow_agari_provider.alerts.sla import Watch
from airflow_agari_provider.queues.drain_watch import DrainWatch
from airflow_agari_provider.scoring.jobs import JobState
from airflow_agari_provider.scoring.run_watch import RunWatch

WRITTEN_BY_USERS = [
    "operators.avro_kinesis_import.AvroKinesisImportOperator",
    "operators.avro_kinesis_import.ConfluentRegistry",
    "operators.avro_kinesis_import.GlueRegistry",
    "operators.avro_kinesis_import.S3SchemaFolder",
    "operators.avro_s3_import.AvroS3ImportOperator",
    "operators.discrepancy_check.Comparison",
    "operators.discrepancy_check.DiscrepancyCheckOperator",
    "operators.discrepancy_check.Distribution",
    "operators.discrepancy_check.Expected",
    "operators.discrepancy_check.Stage",
    "operators.discrepancy_check.Tolerance",
    "operators.emr_spark_scoring.EmrCluster",
    "operators.emr_spark_scoring.EmrOnEks",
    "operators.emr_spark_scoring.EmrServerless",
    "operators.emr_spark_scoring.EmrSparkScoringOperator",
    "operators.emr_spark_scoring.LivySpark",
    "operators.emr_spark_scoring.StandaloneSpark",
    "operators.spark_job_sweep.SparkJobSweepOperator",
    "operators.sqs_dead_letters.SqsDeadLetterPurgeOperator",
    "operators.sqs_dead_letters.SqsDeadLetterReportOperator",
    "operators.sqs_redrive.SqsRedriveOperator",
    "operators.sqs_scaling.SqsScalingOperator",
    "sensors.avro_s3_loaded.AvroS3LoadedSensor",
    "sensors.kinesis_lag.KinesisLagSensor",
    "sensors.sqs_drain.SqsDrainSensor",
    "hooks.victorops.VictorOpsHook",
    "notifications.slack_sla_miss.SlackSlaMissNotifier",
    "notifications.victorops_sla_miss.VictorOpsSlaMissNotifier",
    "blast_radius.feeds.Feeds",
    "slas.DAG_RUN",
    "slas.FromHistory",
    "slas.FromVariable",
    "slas.SlaAlert",
    "slas.maintenance.sweep_alerts",
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
    "triggers.sqs_redrive.SqsRedriveTrigger",
    "slas.deadline_callback.on_deadline",
    "airflow_deadlines.HistoryDeadline",
    "airflow_deadlines.TimeOfDayDeadline",
    "airflow_deadlines.VariableDeadline",
    "operators.emr_step_link.EmrStepLink",
    "plugin.AgariPlugin",
    "provider_info.get_provider_info",
]
# Where a deferred task goes on: Airflow stores the method's name with the task instance.
STORED_METHODS = [
    ("operators.discrepancy_check.DiscrepancyCheckOperator", "execute_recheck"),
    ("operators.emr_spark_scoring.EmrSparkScoringOperator", "resume"),
    ("operators.emr_spark_scoring.EmrSparkScoringOperator", "start_again"),
    ("sensors.avro_s3_loaded.AvroS3LoadedSensor", "look_again"),
    ("sensors.kinesis_lag.KinesisLagSensor", "look_again"),
    ("sensors.sqs_drain.SqsDrainSensor", "execute_complete"),
    ("operators.sqs_redrive.SqsRedriveOperator", "execute_complete"),
]


def named(path: str):
    module, _, name = path.rpartition(".")
    return getattr(import_module(f"airflow_agari_provider.{module}"), name)


@pytest.mark.parametrize("path", [*WRITTEN_BY_USERS, *STORED_BY_AIRFLOW])
def test_what_users_write_and_airflow_stores_is_where_it_was(path):
    assert named(path) is not None


@pytest.mark.parametrize(("path", "method"), STORED_METHODS)
def test_a_deferred_task_finds_the_method_where_it_goes_on(path, method):
    assert callable(getattr(named(path), method))


def test_the_entry_points_are_those_that_airflow_looks_for():
    found = {
        (point.group, point.name, point.value)
        for point in distribution("airflow-agari-provider").entry_points
        if point.group.startswith(("apache_airflow", "airflow."))
    }
    assert found == {
        ("apache_airflow_provider", "provider_info", "airflow_agari_provider.provider_info:get_provider_info"),
        ("airflow.plugins", "agari", "airflow_agari_provider.plugin:AgariPlugin"),
    }


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
            "watch": {
                "queue_urls": ["https://sqs/q"],
                "dead_letter_urls": ["https://sqs/q-dead"],
                "poll_interval": 30.0,
                "quiet_period": 120.0,
                "expected_messages": 0,
                "not_before": None,
                "on_dead_letters": "fail",
                "stall_timeout": 3600.0,
                "visibility_timeout": 30.0,
                "max_unknown": 10,
                "dead_letters_before": {"https://sqs/q-dead": 2},
                "started_at": 1456507800.0,
                "polled_at": 1456507830.0,
                "quiet_since": None,
                "progress_at": 1456507800.0,
                "in_flight_range": [1, 3],
                "depths": {"https://sqs/q": [4, 1, 0]},
                "dead_letters": {"https://sqs/q-dead": 2},
                "dead_letters_confirmed": {"https://sqs/q-dead": 2},
                "dead_letters_reported": 0,
                "polls": 2,
                "unknown_polls": 0,
                "unknown_in_a_row": 0,
                "depth_start": 5,
                "depth_peak": 5,
                "arrived": 5,
                "left": 0,
            },
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
    assert set(trigger.serialize()[1]) >= set(arguments)  # what is new has a default


def test_what_a_stored_trigger_waits_with_is_made_again():
    (_, spark), (_, drain) = STORED_TRIGGERS
    watch = RunWatch(**{**spark["watch"], "job": JobState(**spark["watch"]["job"])})
    waiting = asdict(watch)
    assert {**waiting, **spark["watch"], "job": {**waiting["job"], **spark["watch"]["job"]}} == waiting
    again = DrainWatch.again(drain["watch"])
    assert {name: value for name, value in drain["watch"].items() if asdict(again).get(name) != value} == {
        "progress_at": 1456507800.0,  # fields that there are no longer: the stall clock begins anew,
        "in_flight_range": [1, 3],
        "dead_letters_confirmed": {"https://sqs/q-dead": 2},
        "arrived": 5,  # and these are in the flow
        "left": 0,
    }
    assert (again.flow.level, again.flow.arrived, again.flow.left) == (5, 5, 0)
    assert asdict(DrainWatch(**asdict(again))) == asdict(again)


# Alerts travel as JSON in the arguments of a deadline's callback, each with its notifier's path.
STORED_SLA = {
    "task_id": "load",
    "sla": 1800.0,
    "alerts": [
        {
            "after": 0.0,
            "notifier": {
                "path": "airflow_agari_provider.notifications.slack_sla_miss:SlackSlaMissNotifier",
                "arguments": {"slack_conn_id": "slack_api", "channel": "C012AB3CD"},
            },
            "recovery": None,
            "fallback": None,
        },
        {
            "after": 600.0,
            "notifier": {
                "path": "airflow_agari_provider.notifications.victorops_sla_miss:VictorOpsSlaMissNotifier",
                "arguments": {"victorops_conn_id": "victorops", "message_type": "CRITICAL"},
            },
            "recovery": None,
            "fallback": None,
        },
    ],
    "dag_id": "telemetry",
    "by": "",
    "claims": "sql:claims",
    "digest": 0,
    "environment": "EP_STAGE",
    "incident": "task",
    "when_failed": "page",
    "reference": "queued_at",
    "silent_for": ["backfill"],
    "owner": "telemetry",
    "mapped": [],
    "lookalikes": [],
    "upstream": ["extract", "load"],
    "reported_later": [None],
    "reported_earlier": ["extract"],
    "carriers": ["load"],
    "packed": {},
    "families": [],
}


def test_a_stored_sla_is_made_again_with_its_alerts():
    from airflow_agari_provider.slas.sla_alert import sender_of

    sla = Watch.from_json(json.dumps(STORED_SLA))
    again = json.loads(sla.to_json())
    assert {name: again[name] for name in STORED_SLA} == STORED_SLA
    assert not any(value for name, value in again.items() if name not in STORED_SLA)  # which is as it was before
    assert [sender_of(alert).name for alert in sla.alerts] == ["Slack", "VictorOps"]


if AIRFLOW_3:  # 2.11 has no deadlines

    def test_a_stored_deadline_is_made_again():
        from airflow_agari_provider.airflow_deadlines import TimeOfDayDeadline, deadline_alert
        from airflow_agari_provider.slas.deadline_callback import ON_DEADLINE

        assert ON_DEADLINE == "airflow_agari_provider.slas.deadline_callback.on_deadline"
        stored = {"reference_type": "TimeOfDayDeadline", "by": "06:00:00 Europe/Berlin"}
        assert TimeOfDayDeadline.deserialize_reference(stored).serialize_reference() == stored
        alert = deadline_alert("queued_at", timedelta(minutes=30), ON_DEADLINE, {"watch": json.dumps(STORED_SLA)})
        assert alert.callback.path == ON_DEADLINE

    def test_a_stored_callback_of_a_deadline_is_found_by_its_path():
        from airflow.triggers.callback import CallbackTrigger

        trigger = CallbackTrigger(
            "airflow_agari_provider.slas.deadline_callback.on_deadline", {"watch": json.dumps(STORED_SLA)}
        )
        path, kwargs = trigger.serialize()
        assert path == "airflow.triggers.callback.CallbackTrigger"
        callback = named(kwargs["callback_path"].removeprefix("airflow_agari_provider."))
        assert callback.__name__ == "on_deadline"

    def test_a_deadline_in_a_serialized_dag_is_made_again():
        from airflow.serialization import serialized_objects

        from airflow_agari_provider.airflow_compat import DAG
        from airflow_agari_provider.airflow_deadlines import deadline_alert

        path = "airflow_agari_provider.slas.deadline_callback.on_deadline"
        alert = deadline_alert("queued_at", timedelta(minutes=30), path, {"watch": json.dumps(STORED_SLA)})
        dag = DAG("stored", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC), deadline=alert)
        serializer = getattr(serialized_objects, "DagSerialization", serialized_objects.SerializedDAG)  # 3.2
        stored = json.dumps(serializer.to_dict(dag))
        assert path in json.dumps(serializer.from_dict(json.loads(stored)).deadline, default=str)
