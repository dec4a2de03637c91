"""Which service the jobs of a target are on, and the address of a connection to Livy."""

from __future__ import annotations

import json

import pytest

from airflow_agari_provider.hooks.spark_jobs import livy_address, spark_jobs
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.emr_on_eks_jobs import EmrOnEksJobs
from airflow_agari_provider.scoring.emr_serverless_jobs import EmrServerlessJobs
from airflow_agari_provider.scoring.livy_jobs import LivyJobs
from airflow_agari_provider.scoring.standalone_jobs import StandaloneJobs
from airflow_agari_provider.scoring.targets import EmrCluster, EmrOnEks, EmrServerless, LivySpark, StandaloneSpark

TARGETS = [
    (EmrCluster(name="x"), EmrClusterJobs),
    (EmrServerless("x", execution_role_arn="r"), EmrServerlessJobs),
    (EmrOnEks("x", "r", "emr-7"), EmrOnEksJobs),
    (LivySpark(), LivyJobs),
    (StandaloneSpark("http://x:6066", "s3://x"), StandaloneJobs),
]


@pytest.mark.parametrize(("target", "jobs"), TARGETS, ids=lambda value: getattr(value, "kind", None))
def test_each_target_has_its_service_and_a_known_job_needs_no_target(target, jobs):
    assert type(spark_jobs("aws_default", None, target.kind, target)) is jobs
    assert type(spark_jobs(None, "us-east-1", target.kind)) is jobs


def test_a_kind_of_a_newer_version_is_an_error():
    with pytest.raises(KeyError, match="kubernetes"):
        spark_jobs(None, None, "kubernetes")


@pytest.mark.parametrize(
    ("connection", "base"),
    [
        ({"host": "livy"}, "http://livy"),
        ({"host": "livy", "port": 8998}, "http://livy:8998"),
        ({"host": "livy", "port": 443, "schema": "https"}, "https://livy:443"),
        ({"host": "https://livy/", "port": 8998, "schema": "http"}, "https://livy:8998"),
        ({"host": "10.0.0.1", "port": 8998}, "http://10.0.0.1:8998"),
        ({}, "http://localhost"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_address_is_that_of_the_connection(connection, base, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_LIVY", json.dumps({"conn_type": "livy", **connection}))
    assert livy_address("livy").url == base


@pytest.mark.parametrize(
    ("extra", "headers"),
    [
        ({}, {"X-Requested-By": "airflow"}),
        ({"headers": None}, {"X-Requested-By": "airflow"}),
        ({"headers": {}}, {"X-Requested-By": "airflow"}),
        ({"headers": {"X-Requested-By": "ada", "X-Team": "ü"}}, {"X-Requested-By": "ada", "X-Team": "ü"}),
    ],
    ids=["none", "null", "empty", "own"],
)
def test_headers_of_the_connection_come_before_ours(extra, headers, monkeypatch):
    value = {"conn_type": "livy", "host": "livy", "login": "ada", "password": "hush", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_LIVY", json.dumps(value))
    address = livy_address("livy")
    assert (address.headers, address.login, address.password) == (headers, "ada", "hush")
    assert "hush" not in repr(address)
