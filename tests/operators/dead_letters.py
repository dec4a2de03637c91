"""The operators of dead letters, letters for them, and the context of the task run that executes them."""

from __future__ import annotations

from types import SimpleNamespace

from airflow_agari_provider.operators.sqs_dead_letters import SqsDeadLetterPurgeOperator, SqsDeadLetterReportOperator
from tests.queues.letters import notification

HOST = "etl-00.ep-old.prod.agari.com"
NOTIFICATION = notification("scored/hour=05/part-0.avro")
OTHER = notification("scored/hour=06/part-0.avro")
OURS = {"objects_below": "s3://agari/scored/hour=05/"}


def context_of_run():
    ti = SimpleNamespace(
        dag_id="ep_telemetry_v2", task_id="report", run_id="run", map_index=-1, try_number=1, hostname=HOST
    )
    return {"ti": ti}


def report(queue_url, **arguments):
    return SqsDeadLetterReportOperator(
        task_id="report", queue_url=queue_url, completed="2016-02-26 03:00:00", aws_conn_id=None, **arguments
    )


def send(sqs, queue_url, body, **message_attributes):
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in message_attributes.items()}
    return sqs.send_message(QueueUrl=queue_url, MessageBody=body, MessageAttributes=attributes)["MessageId"]


def purge(queue_url, **arguments):
    return SqsDeadLetterPurgeOperator(
        task_id="purge", queue_url=queue_url, archive_url="s3://agari/dead/2016-02-26/", aws_conn_id=None, **arguments
    )
