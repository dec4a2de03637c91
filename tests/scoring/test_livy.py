"""The batch that submits a job to Livy, and its name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY
from airflow_agari_provider.scoring.livy import LivySpark, batch_name, batch_request, token_and_owner
from tests.scoring.one_task_run import JOB

TOKEN = "0123456789abcdef" * 2


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ({"livy_conn_id": ""}, "needs livy_conn_id"),
        ({"options": {"name": "x", "args": []}}, "cannot have args, name"),
    ],
)
def test_a_target_that_cannot_be_meant_is_refused(target, problem):
    with pytest.raises(ValueError, match=problem):
        LivySpark(**target)


@pytest.mark.parametrize("owner", ["", "telemetry/hour_5/score/-1/0/cancel", "a%20b/%C3%BC/x/3/1/keep"])
@pytest.mark.parametrize("failed", [0, 12])
def test_a_name_tells_the_token_and_the_owner(owner, failed):
    name = batch_name(replace(JOB, spark_conf={OWNER_PROPERTY: owner}), TOKEN, failed)
    assert name.startswith(f"{TOKEN}-{failed}")
    assert token_and_owner(name) == (TOKEN, owner)


def test_a_batch_without_an_owner_has_the_token_as_its_name():
    assert batch_name(JOB, TOKEN, 0) == f"{TOKEN}-0"


@pytest.mark.parametrize(
    "name", ["", "score", "Livy " + TOKEN, TOKEN[1:] + "-0 x", TOKEN.upper() + "-0 x", " " + TOKEN]
)
def test_a_batch_of_somebody_else_has_neither(name):
    assert token_and_owner(name) == ("", "")


def test_what_a_job_lacks_is_not_sent_and_options_come_along():
    target = LivySpark("livy", {"queue": "scoring", "driverMemory": "4g"})
    assert batch_request(target, replace(JOB, arguments=(), avro=True), TOKEN, 1) == {
        "queue": "scoring",
        "driverMemory": "4g",
        "file": "s3://agari/score.py",
        "conf": {"spark.agari.run_token": TOKEN},
        "name": f"{TOKEN}-1",
    }


def test_the_options_of_the_dag_do_not_change():
    options = {"queue": "scoring"}
    batch_request(LivySpark("livy", options), JOB, TOKEN, 0)
    assert options == {"queue": "scoring"}
