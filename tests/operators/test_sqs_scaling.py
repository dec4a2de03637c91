"""The operator that sets a group's size hands its arguments down."""

from __future__ import annotations

from datetime import timedelta

import boto3
import pytest

from airflow_agari_provider.operators.sqs_scaling import SqsScalingOperator


def operator(**arguments):
    return SqsScalingOperator(task_id="scale", aws_conn_id=None, region_name="us-east-1", **arguments)


def test_a_service_grows_with_its_queue_and_shrinks_when_it_is_drained(aws, sqs, queue_url):
    ecs = boto3.client("ecs", endpoint_url=aws, region_name="us-east-1")
    ecs.create_cluster(clusterName="etl")
    ecs.register_task_definition(family="importer", containerDefinitions=[{"name": "i", "image": "i", "memory": 64}])
    ecs.create_service(cluster="etl", serviceName="importers", taskDefinition="importer", desiredCount=0)
    for number in range(5):
        sqs.send_message(QueueUrl=queue_url, MessageBody=str(number))
    scale = operator(
        queue_url="importer",
        ecs_service="importers",
        ecs_cluster="etl",
        max_instances="2",
        messages_per_instance=2,
        quiet_period=timedelta(0),
    )
    assert scale.execute({}) == {"before": 0, "after": 2, "visible": 5, "in_flight": 0, "delayed": 0}
    sqs.purge_queue(QueueUrl=queue_url)
    assert scale.execute({}) == {"before": 2, "after": 0, "visible": 0, "in_flight": 0, "delayed": 0}


@pytest.mark.parametrize("groups", [{}, {"auto_scaling_group": "a", "ecs_service": "b"}], ids=["none", "both"])
def test_one_group_must_be_named(groups):
    with pytest.raises(ValueError, match="either auto_scaling_group or ecs_service"):
        operator(queue_url="importer", **groups)


def test_an_empty_list_of_queues_would_end_every_consumer(aws):
    with pytest.raises(ValueError, match="queue_url is an empty list"):
        operator(queue_url=[], ecs_service="importers").execute({})
