"""Which clusters of a name may hold a job and which takes the next, by themselves; jobs are in the test of the jobs."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.scoring import emr_clusters
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.emr_cluster import ClusterMissing, EmrCluster
from airflow_agari_provider.scoring.emr_clusters import ClusterFull, EmrClusters

LONG_AGO = datetime(2016, 1, 1, tzinfo=UTC)


@pytest.fixture
def clusters_of(emr_world):
    """The clusters that a target means; with nothing given, all of the account."""
    return lambda **target: EmrClusters(AwsRequests(emr_world.connect), EmrCluster(**target) if target else None)


def test_without_a_cluster_there_is_none(clusters_of):
    clusters = clusters_of(name="scoring")
    assert (clusters.live(), clusters.ended(LONG_AGO), clusters.least_busy(), clusters.oldest()) == ([], [], None, None)


def test_live_clusters_come_the_newest_first_and_ended_ones_do_not(emr_world, clusters_of):
    ids = [emr_world.cluster("scoring") for _ in range(3)]
    other = emr_world.cluster("scoring-2")
    for age, cluster_id in enumerate([*ids, other]):
        emr_world.clusters[cluster_id].creation_datetime = LONG_AGO + timedelta(days=age)
    emr_world.emr.terminate_job_flows(JobFlowIds=[ids[1]])
    assert clusters_of(name="scoring").live() == [ids[2], ids[0]]
    assert clusters_of().live() == [other, ids[2], ids[0]]
    assert clusters_of(cluster_id="j-any").live() == ["j-any"]


def test_ended_clusters_are_those_that_ended_since_then_the_last_first(emr_world, clusters_of, monkeypatch):
    ids = [emr_world.cluster("scoring") for _ in range(4)]
    emr_world.emr.terminate_job_flows(JobFlowIds=ids)
    for day, cluster_id in enumerate(ids):
        emr_world.clusters[cluster_id].end_datetime = LONG_AGO + timedelta(days=day)
    clusters = clusters_of(name="scoring")
    assert clusters.ended(LONG_AGO + timedelta(days=1)) == [ids[3], ids[2], ids[1]]
    monkeypatch.setattr(emr_clusters, "ENDED_CLUSTERS_SEARCHED", 2)
    assert clusters.ended(LONG_AGO) == [ids[3], ids[2]]
    assert clusters_of(cluster_id=ids[0]).ended(LONG_AGO) == []


def test_of_clusters_that_are_equally_busy_the_oldest_takes_the_job_whoever_asks(emr_world, clusters_of):
    ids = [emr_world.cluster("scoring", concurrency=2) for _ in range(3)]
    for day, cluster_id in zip((5, 1, 3), ids, strict=True):
        emr_world.clusters[cluster_id].creation_datetime = LONG_AGO + timedelta(days=day)
    clusters = clusters_of(name="scoring")
    assert (clusters.least_busy(), clusters.oldest()) == ((ids[1], 0), ids[1])
    emr_world.add_step(ids[1])
    assert clusters.least_busy() == (ids[2], 0)


def test_a_cluster_that_ends_with_its_last_step_takes_none_unless_it_is_meant(emr_world, clusters_of):
    ending = emr_world.cluster("scoring", keep=False)
    emr_world.clusters[ending].state = "RUNNING"
    assert clusters_of(name="scoring").least_busy() is None
    assert clusters_of(cluster_id=ending).least_busy() == (ending, 0)


def test_steps_come_the_newest_first_and_no_older_or_more_than_wanted(emr_world, clusters_of, monkeypatch):
    cluster_id = emr_world.cluster("scoring")
    ids = [emr_world.add_step(cluster_id) for _ in range(4)]
    for day, step_id in enumerate(ids):
        emr_world.step(step_id).creation_date_time = (LONG_AGO + timedelta(days=day)).replace(tzinfo=None)  # as moto's
    clusters = clusters_of(name="scoring")
    since = LONG_AGO + timedelta(days=2)
    assert [step["Id"] for step in clusters.steps(cluster_id, since)] == [ids[3], ids[2]]
    monkeypatch.setattr(emr_clusters, "STEPS_SEARCHED", 3)
    assert [step["Id"] for step in clusters.steps(cluster_id)] == [ids[3], ids[2], ids[1]]


def test_a_cluster_that_cannot_be_ended_is_only_told(emr_world, clusters_of, caplog):
    emr_world.fail("terminate_job_flows", code="AccessDeniedException")
    clusters_of(name="scoring").end("j-1")
    assert "A cluster that nobody needs goes on until it was idle for long enough" in caplog.text


def test_a_name_that_rendered_to_nothing_is_no_name(clusters_of):
    clusters = clusters_of(name="scoring")
    clusters.target.name = ""
    with pytest.raises(ClusterMissing, match="an empty name: check what the template"):
        clusters.live()


def test_the_error_of_full_clusters_survives_the_way_between_processes():
    error = pickle.loads(pickle.dumps(ClusterFull(("j-1", "j-2"))))
    assert "this limit is reached in j-1, j-2: nothing was submitted" in str(error)
