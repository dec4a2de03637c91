"""The sensor: one answer whether it pokes or defers, on queues of moto."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.airflow_compat import (
    DAG,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)
from airflow_agari_provider.queues.depth import QueueUnreadable
from airflow_agari_provider.queues.drain_errors import DrainFailed
from airflow_agari_provider.sensors.sqs_drain import SqsDrainSensor
from airflow_agari_provider.triggers.sqs_drain import SqsDrainTrigger
from tests.sensors.ways_to_wait import modes, timeouts


@pytest.fixture
def dead_letter_url(sqs, queue_url):
    url = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy})
    return url


def sensor(queue_url, **arguments):
    fast = {"quiet_period": "0.3", "poke_interval": 0.05, "retries": 0, "aws_conn_id": None}
    return SqsDrainSensor(task_id="drain", queue_url=queue_url, **fast | arguments)


def wait(operator, context):
    """Result of the task, the deferred part run as a triggerer does: from what serialize() gave."""
    try:
        return operator.execute(context)
    except TaskDeferred as deferred:
        assert operator.deferrable
        path, arguments = deferred.trigger.serialize()
        assert path == "airflow_agari_provider.triggers.sqs_drain.SqsDrainTrigger"
        trigger = SqsDrainTrigger(**json.loads(json.dumps(arguments)))
        event = asyncio.run(anext(trigger.run()))
        return operator.resume_execution(
            deferred.method_name, {"event": json.loads(json.dumps(event.payload))}, context
        )


@modes
def test_drained_queues_give_the_figures_of_the_wait(sqs, queue_url, dead_letter_url, context, deferrable):
    other = sqs.create_queue(QueueName="other")["QueueUrl"]
    for _ in range(2):
        sqs.send_message(QueueUrl=dead_letter_url, MessageBody="an old one")
    figures = wait(sensor([queue_url, other], deferrable=deferrable), context)
    assert figures.pop("seconds") >= 0.3
    assert figures.pop("polls") >= 2
    assert figures == {
        "unknown_polls": 0,
        "depth_start": 0,
        "depth_peak": 0,
        "depth_end": 0,
        "messages_seen": 0,
        "messages_per_second": 0,
        "dead_letters_before": {dead_letter_url: 2},
        "dead_letters_after": {dead_letter_url: 2},
        "new_dead_letters": 0,
    }


@modes
@pytest.mark.parametrize("before", [0, "0"], ids=["number", "rendered template"])
def test_new_dead_letters_fail_without_a_retry(sqs, queue_url, dead_letter_url, context, deferrable, before):
    sqs.send_message(QueueUrl=dead_letter_url, MessageBody="poison")
    with pytest.raises(AirflowFailException, match=r"grew from 0 to 1 .* body 'poison'"):
        wait(sensor(queue_url, deferrable=deferrable, dead_letters_before=before), context)


@modes
def test_new_dead_letters_only_warn_if_so_asked(sqs, queue_url, dead_letter_url, context, deferrable):
    sqs.send_message(QueueUrl=dead_letter_url, MessageBody="poison")
    arguments = {"deferrable": deferrable, "dead_letters_before": 0, "on_dead_letters": "warn"}
    assert wait(sensor(queue_url, **arguments), context)["new_dead_letters"] == 1


@modes
def test_a_stall_fails_and_names_its_cause(sqs, queue_url, context, deferrable):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    with pytest.raises(DrainFailed, match="no consumer reads"):
        wait(sensor(queue_url, deferrable=deferrable, stall_timeout=0.2), context)


@timeouts
def test_the_timeout_holds_and_tells_the_depth(sqs, queue_url, context, mode):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    with pytest.raises(AirflowSensorTimeout, match="1 visible, 0 in flight"):
        wait(sensor(queue_url, **mode), context)


@timeouts
def test_soft_fail_skips_at_the_timeout(sqs, queue_url, context, mode):
    sqs.send_message(QueueUrl=queue_url, MessageBody="scored")
    with pytest.raises(AirflowSkipException):
        wait(sensor(queue_url, soft_fail=True, **mode), context)


@modes
def test_a_misspelt_queue_fails_at_the_first_poll(sqs, queue_url, context, deferrable):
    with pytest.raises(QueueUnreadable, match="does not exist"):
        wait(sensor(queue_url + "-misspelt", deferrable=deferrable), context)


@timeouts
def test_an_empty_queue_waits_for_the_messages_to_come(sqs, queue_url, context, mode):
    with pytest.raises(AirflowSensorTimeout, match=r"0 of 3 expected message\(s\) seen"):
        wait(sensor(queue_url, expected_messages="3", quiet_period=0, **mode), context)


def test_a_queue_drained_at_the_first_poll_does_not_defer(sqs, queue_url, context):
    assert sensor(queue_url, deferrable=True, quiet_period=0).execute(context)["polls"] == 1


def test_a_deferred_wait_has_a_timeout_of_airflow_s_too(sqs, queue_url, context):
    with pytest.raises(TaskDeferred) as deferred:
        sensor(queue_url, deferrable=True, timeout=600, poke_interval=30).execute(context)
    assert deferred.value.timeout == timedelta(seconds=690)


@pytest.mark.parametrize(
    "not_before",
    [
        datetime(2016, 4, 28, 5, tzinfo=UTC),
        "2016-04-28T05:00:00+00:00",
        "2016-04-28 05:00:00",
        "2016-04-28T07:00:00+02:00",
        1461819600,
        "1461819600.0",
    ],
    ids=["datetime", "ISO", "no zone is UTC", "another zone", "seconds", "seconds as text"],
)
def test_not_before_is_a_point_in_time_in_any_of_its_forms(sqs, queue_url, context, not_before):
    operator = sensor(queue_url, deferrable=True, not_before=not_before)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    assert deferred.value.trigger.watch["not_before"] == 1461819600


@pytest.mark.parametrize(
    ("arguments", "poke_interval"),
    [({}, 30), ({"mode": "reschedule"}, 60), ({"poke_interval": timedelta(minutes=2)}, 120)],
)
def test_the_poll_interval_suits_the_mode(arguments, poke_interval):
    assert SqsDrainSensor(task_id="drain", queue_url="https://sqs/q", **arguments).poke_interval == poke_interval


def test_rescheduling_faster_than_airflow_can_is_refused():
    with pytest.raises(ValueError, match="too short for mode='reschedule'"):
        SqsDrainSensor(task_id="drain", queue_url="https://sqs/q", mode="reschedule", poke_interval=30)


@pytest.mark.parametrize(
    "argument",
    [{"quiet_period": -5}, {"stall_timeout": float("nan")}, {"max_unknown": 0}],
    ids=lambda one: next(iter(one)),
)
def test_a_number_that_would_drain_at_once_or_never_is_refused_when_the_dag_is_parsed(argument):
    with pytest.raises(ValueError, match=f"^{next(iter(argument))} is "):
        SqsDrainSensor(task_id="drain", queue_url="q", **argument)


def test_an_unknown_word_for_dead_letters_is_refused():
    with pytest.raises(ValueError, match="on_dead_letters is one of fail, warn, ignore"):
        SqsDrainSensor(task_id="drain", queue_url="https://sqs/q", on_dead_letters="page")


def test_what_may_differ_by_run_is_templated():
    with DAG("scoring", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        operator = SqsDrainSensor(
            task_id="drain",
            queue_url=["https://sqs/{{ name }}"],
            expected_messages="{{ 3 * 2 }}",
            not_before="{{ name }}",
            dead_letters_before="{{ 0 }}",
            region_name="eu-{{ name }}",
            quiet_period="{{ 60 * 2 }}",
        )
    operator.render_template_fields({"name": "importer"})
    assert operator.queue_url == ["https://sqs/importer"]
    assert (operator.expected_messages, operator.not_before, operator.dead_letters_before) == ("6", "importer", "0")
    assert (operator.region_name, operator.quiet_period) == ("eu-importer", "120")
