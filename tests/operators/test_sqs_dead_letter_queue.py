"""What the operators of dead letters share: which queue is meant, and which of its letters are the run's."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import DAG, AirflowFailException
from airflow_agari_provider.operators.sqs_dead_letters import SqsDeadLetterPurgeOperator, SqsDeadLetterReportOperator
from airflow_agari_provider.queues.dead_letters import NoDeadLetterQueue
from tests.operators.dead_letters import OURS, context_of_run, purge, report, send
from tests.queues.letters import redrive


@pytest.fixture
def context():
    return context_of_run()


def test_the_dead_letter_queue_may_be_named_by_its_source(sqs, queue_url, context):
    dead = sqs.create_queue(QueueName="importer-dead")["QueueUrl"]
    operator = SqsDeadLetterReportOperator(task_id="report", source_queue_url=queue_url, aws_conn_id=None)
    with pytest.raises(NoDeadLetterQueue, match="has no redrive policy"):
        operator.execute(context)
    redrive(sqs, queue_url, dead)
    send(sqs, dead, "dead")
    result = operator.execute(context)
    assert (result["queue_url"], result["count"], result["source"]) == (dead, 1, queue_url)


@pytest.mark.parametrize("operator", [SqsDeadLetterReportOperator, SqsDeadLetterPurgeOperator])
@pytest.mark.parametrize("queues", [{}, {"queue_url": "a", "source_queue_url": "b"}], ids=["none", "both"])
def test_one_of_both_queues_must_be_named(operator, queues):
    arguments = {"archive_url": "s3://agari/dead"} if operator is SqsDeadLetterPurgeOperator else {}
    with pytest.raises(ValueError, match="Give either queue_url"):
        operator(task_id="dead", **queues, **arguments)


@pytest.mark.parametrize("build", [report, purge])
def test_a_queue_that_moves_its_letters_on_fails_without_a_retry(sqs, queue_url, bucket, context, build):
    redrive(sqs, queue_url, sqs.create_queue(QueueName="very-dead")["QueueUrl"])
    with pytest.raises(AirflowFailException, match="has a redrive policy of its own"):
        build(queue_url, **OURS).execute(context)


@pytest.mark.parametrize("build", [report, purge])
def test_the_folder_of_the_run_is_templated(build):
    with DAG("ep_telemetry_v2", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC)):
        operator = build("https://sqs/dead", objects_below=["s3://agari/scored/{{ window }}/"])
    operator.render_template_fields(
        {"dag_run": SimpleNamespace(data_interval_start=datetime(2016, 2, 26, 3, tzinfo=UTC)), "window": "hour=05"}
    )
    assert operator.objects_below == ["s3://agari/scored/hour=05/"]
