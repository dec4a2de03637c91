from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from moto.core.utils import utcnow
from moto.emr.models import emr_backends

from airflow_agari_provider.local.emr import books


@pytest.fixture
def new_cluster(client: Callable[[str], Any]) -> Callable[..., Any]:
    """Makes a cluster; returns it as the books hold it."""

    def new(steps: int = 0, **more: Any) -> Any:
        jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", "x.py"]}
        step = {"Name": "score", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
        instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": True}
        answer = client("emr").run_job_flow(Name="scoring", Instances=instances, Steps=[step] * steps, **more)
        return emr_backends["123456789012"]["us-east-1"].clusters[answer["JobFlowId"]]

    return new


def states(cluster: Any) -> list[str]:
    return [step.state for step in cluster.steps]


@pytest.mark.parametrize(
    ("level", "free", "expected"),
    [
        pytest.param(1, 5, ["RUNNING", "PENDING", "PENDING"], id="the cluster's limit"),
        pytest.param(2, 5, ["RUNNING", "RUNNING", "PENDING"], id="the cluster's higher limit"),
        pytest.param(3, 1, ["RUNNING", "PENDING", "PENDING"], id="the node's limit"),
        pytest.param(3, 0, ["PENDING", "PENDING", "PENDING"], id="a full node"),
    ],
)
def test_no_more_steps_start_than_cluster_and_node_allow(
    new_cluster: Callable[..., Any], level: int, free: int, expected: list[str]
) -> None:
    cluster = new_cluster(3, StepConcurrencyLevel=level)
    books.orders("node", [], free)
    assert states(cluster) == expected


def test_a_node_with_one_place_gets_one_step_of_two_clusters(new_cluster: Callable[..., Any]) -> None:
    clusters = [new_cluster(1), new_cluster(1)]
    assert len(books.orders("node", [], 1)["start"]) == 1
    assert [states(cluster) for cluster in clusters] == [["RUNNING"], ["PENDING"]]


def test_a_step_belongs_to_the_node_that_took_it(new_cluster: Callable[..., Any]) -> None:
    cluster = new_cluster(1)
    order = books.orders("one", [], 1)["start"][0]
    assert books.orders("two", [], 1) == {"start": [], "stop": [], "kill": []}
    assert (books.held("two"), books.held("one")) == ([], [order])
    assert books.finish("two", cluster.id, order["step_id"], "COMPLETED") is False
    assert books.finish("one", cluster.id, order["step_id"], "COMPLETED") is True
    assert books.finish("one", cluster.id, order["step_id"], "FAILED") is False
    assert states(cluster) == ["COMPLETED"]


def test_a_step_the_books_know_no_more_is_stopped(new_cluster: Callable[..., Any]) -> None:
    new_cluster(1)
    step_id = books.orders("node", [], 1)["start"][0]["step_id"]
    assert books.orders("node", [step_id], 0)["stop"] == []
    assert books.orders("node", ["s-OFANOTHERDAY"], 0)["kill"] == ["s-OFANOTHERDAY"]


@pytest.mark.parametrize(("seconds", "state"), [(119, "WAITING"), (120, "TERMINATED")])
def test_an_idle_cluster_ends_after_its_timeout(new_cluster: Callable[..., Any], seconds: int, state: str) -> None:
    cluster = new_cluster(1, AutoTerminationPolicy={"IdleTimeout": 120})
    order = books.orders("node", [], 1)["start"][0]
    now = utcnow()
    books.settle(cluster, now + timedelta(days=1))
    assert cluster.state == "RUNNING"
    books.finish("node", cluster.id, order["step_id"], "COMPLETED")
    cluster.steps[0].end_date_time = now
    books.settle(cluster, now + timedelta(seconds=seconds))
    assert cluster.state == state
