"""Groups of consumers, in moto, and the answers of AWS that moto does not give."""

from __future__ import annotations

import pickle
import sys

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from airflow_agari_provider.queues.consumer_group import AutoScalingGroup, EcsService, NoSuchGroup, Size


@pytest.mark.parametrize(
    ("size", "wanted", "bounded"),
    [
        (Size(1, 2, 5), 0, 2),
        (Size(1, 2, 5), 2, 2),
        (Size(1, 2, 5), 3, 3),
        (Size(9, 2, 5), 10**12, 5),
        (Size(0), 10**12, 10**12),
        (Size(0), -1, 0),
        (Size(0, 0, 0), 7, 0),
    ],
)
def test_a_group_stays_within_its_own_bounds(size, wanted, bounded):
    assert size.bounded(wanted) == bounded


def test_a_service_has_no_bound_of_its_own():
    assert Size(3) == Size(3, 0, sys.maxsize)


def test_an_auto_scaling_group_gets_its_size(aws):
    client = boto3.client("autoscaling", endpoint_url=aws, region_name="us-east-1")
    client.create_launch_configuration(LaunchConfigurationName="c", ImageId="ami-12c6146b", InstanceType="t2.micro")
    client.create_auto_scaling_group(
        AutoScalingGroupName="importers",
        LaunchConfigurationName="c",
        MinSize=0,
        MaxSize=3,
        DesiredCapacity=0,
        AvailabilityZones=["us-east-1a"],
    )
    group = AutoScalingGroup(client, "importers")
    assert group.size(None) == Size(0, 0, 3)
    group.resize(2, None)
    assert group.size(None).desired == 2
    with pytest.raises(NoSuchGroup, match="no Auto Scaling group 'importer' in this account"):
        AutoScalingGroup(client, "importer").size(None)


def test_a_service_of_ecs_gets_its_size(aws):
    client = boto3.client("ecs", endpoint_url=aws, region_name="us-east-1")
    client.create_cluster(clusterName="etl")
    client.register_task_definition(family="importer", containerDefinitions=[{"name": "i", "image": "i", "memory": 64}])
    client.create_service(cluster="etl", serviceName="importers", taskDefinition="importer", desiredCount=0)
    service = EcsService(client, "etl", "importers")
    service.resize(4, None)
    assert service.size(None).desired == 4
    for wrong in (EcsService(client, "etl", "importer"), EcsService(client, "nowhere", "importers")):
        with pytest.raises(NoSuchGroup, match="no ECS service"):
            wrong.size(None)


def test_a_service_that_was_deleted_is_none():
    client = boto3.client("ecs", region_name="us-east-1")
    with Stubber(client) as stub:
        stub.add_response("describe_services", {"services": [{"status": "INACTIVE", "desiredCount": 3}]})
        with pytest.raises(NoSuchGroup, match="no ECS service 'importers' of cluster 'etl' in this account and region"):
            EcsService(client, "etl", "importers").size(None)


def test_a_missing_permission_is_no_missing_service_and_is_named():
    client = boto3.client("ecs", region_name="us-east-1")
    with Stubber(client) as stub:
        stub.add_client_error("describe_services", "AccessDeniedException", "not authorized", 403)
        with pytest.raises(ClientError, match="needs ecs:DescribeServices on ECS service 'importers'"):
            EcsService(client, "etl", "importers").size(None)


def test_a_throttled_request_is_sent_again():
    client, waits = boto3.client("autoscaling", region_name="us-east-1"), []
    with Stubber(client) as stub:
        stub.add_client_error("set_desired_capacity", "Throttling", "Rate exceeded", 400)
        stub.add_response(
            "set_desired_capacity", {}, {"AutoScalingGroupName": "ü", "DesiredCapacity": 4, "HonorCooldown": False}
        )
        AutoScalingGroup(client, "ü").resize(4, waits.append)
        stub.assert_no_pending_responses()
    assert len(waits) == 1


def test_the_error_survives_the_way_between_processes():
    error = NoSuchGroup("Auto Scaling group 'a'")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
