from __future__ import annotations

import socket
from functools import partial
from typing import Any

import boto3
import pytest
from botocore.config import Config

from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.jobs import BackendRefused
from airflow_agari_provider.scoring.run_watch import RunWatch
from airflow_agari_provider.scoring.submission import submit_or_rejoin
from tests.scoring.one_task_run import JOB, RUN, patience


def test_missing_credentials_and_a_refused_connection_are_failures_to_be_borne(emr_world, jobs):
    from botocore.exceptions import NoCredentialsError

    def no_credentials() -> Any:
        raise NoCredentialsError

    def refused() -> Any:
        return lambda service: boto3.client(service, endpoint_url="http://127.0.0.1:9", region_name="us-east-1")

    def api_server_is_away() -> Any:
        raise RuntimeError("502 Bad Gateway")  # Airflow's own error, while it is asked for the connection

    for connect in (no_credentials, refused, api_server_is_away):
        watch = RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
        assert [watch.observe(EmrClusterJobs(connect), 0) for _ in range(2)] == [30, 30]
        assert watch.errors == 2
        assert [watch.observe(jobs, 0), watch.errors] == [30, 0]


def test_a_service_that_takes_the_connection_and_never_answers_is_a_failure_to_be_borne(emr_world, jobs):
    watch = RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        config = Config(read_timeout=0.2, retries={"total_max_attempts": 1})
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        hung = partial(boto3.client, endpoint_url=endpoint, region_name="us-east-1", config=config)
        assert [watch.observe(EmrClusterJobs(lambda: hung), 0), watch.errors] == [30, 1]
    assert emr_world.states == ["PENDING"]


def test_renewed_credentials_are_picked_up(emr_world, jobs):
    sessions = []

    def connect() -> Any:
        sessions.append("opened")
        return emr_world.client

    backend, watch = EmrClusterJobs(connect), RunWatch(jobs.submit(JOB, RUN.token), None, 30, 3)
    emr_world.fail("describe_step", code="ExpiredTokenException")
    assert [watch.observe(backend, 0) for _ in range(3)] == [30, 30, 30]
    assert sessions == ["opened", "opened"]


@pytest.mark.parametrize(
    ("code", "taken"),
    [("ThrottlingException", True), ("ExpiredTokenException", True), ("AccessDeniedException", False)],
)
def test_only_a_refusal_that_may_pass_is_worth_another_try(emr_world, jobs, code, taken):
    emr_world.fail("add_job_flow_steps", code=code)
    if taken:
        submit_or_rejoin(jobs, JOB, RUN, patience())
    else:
        with pytest.raises(BackendRefused, match=f"Submitting a step to EMR cluster j-.* failed: .*{code}"):
            submit_or_rejoin(jobs, JOB, RUN, patience())
    assert emr_world.states == (["PENDING"] if taken else [])
