"""``agari jobs``: which jobs are swept, what is told, and with which exit code it ends."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_agari_provider.airflow_runs import ANSWERS_EVERYWHERE
from airflow_agari_provider.commands import jobs
from airflow_agari_provider.commands.agari import main, parser
from airflow_agari_provider.hooks.spark_jobs import spark_jobs
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY, owner_text
from airflow_agari_provider.scoring.livy import LivySpark
from tests.scoring.one_task_run import JOB, RUN


@pytest.fixture
def livy_jobs(livy_world, monkeypatch):
    """A Livy with one job whose task has failed, one whose task waits for it, and one of somebody else."""
    host, port = livy_world.url.removeprefix("http://").split(":")
    connection = {"conn_type": "livy", "host": host, "port": int(port), "login": "ada", "password": "hush"}
    monkeypatch.setenv("AIRFLOW_CONN_LIVY", json.dumps(connection))
    monkeypatch.setattr(jobs, "_states", lambda api: lambda owner: {"load": "failed"}.get(owner.task_id, "deferred"))
    backend = spark_jobs(None, None, LivySpark.kind, LivySpark("livy"))
    for task_id in ("load", "score"):
        run = replace(RUN, task_id=task_id)
        backend.submit(replace(JOB, spark_conf={OWNER_PROPERTY: owner_text(run, True)}), run.token)
    backend.submit(JOB, "not-a-token")
    return livy_world


@pytest.mark.parametrize(
    ("more", "states"), [([], ["killed", "starting", "starting"]), (["--report"], ["starting"] * 3)]
)
def test_a_sweep_of_jobs_tells_what_it_cancelled(livy_jobs, more, states, capsys):
    assert main(["jobs", "sweep", "--livy-conn-id", "livy", *more]) == 0
    told = capsys.readouterr().out.splitlines()
    counts = {"killed": "cancelled 1, left 0", "starting": "cancelled 0, left 1"}[states[0]]
    assert told[0] == f"owned 1, {counts}, unknown 0, failed 0"
    assert told[1].endswith(": Spark job 0 on livy connection livy")
    assert livy_jobs.states == states


def test_a_job_that_cannot_be_cancelled_is_exit_code_1(livy_jobs, capsys):
    livy_jobs.fail("delete_batch")
    assert main(["jobs", "sweep", "--livy-conn-id", "livy"]) == 1
    assert "failed: Spark job 0 on livy connection livy: Cancelling Spark job 0" in capsys.readouterr().out


def test_a_service_that_does_not_list_its_jobs_is_one_sentence(livy_jobs, capsys):
    livy_jobs.fail("get_batches")
    assert main(["jobs", "sweep", "--livy-conn-id", "livy"]) == 1
    assert "agari: Looking for batches of Livy with id 'livy' failed: http://127.0.0.1:" in capsys.readouterr().err


@pytest.mark.parametrize(
    "place",
    [
        ["--cluster", "x", "--cluster-id", "j-1"],
        ["--application", "x", "--virtual-cluster-id", "v"],
    ],
)
def test_two_places_at_once_are_refused(place, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["jobs", "sweep", *place])
    assert (ended.value.code, "not allowed with" in capsys.readouterr().err) == (2, True)


def test_a_sweep_of_jobs_outside_of_airflow_3_says_how_to_ask_it(capsys, livy_world, monkeypatch):
    host, port = livy_world.url.removeprefix("http://").split(":")
    monkeypatch.setenv("AIRFLOW_CONN_LIVY", json.dumps({"conn_type": "livy", "host": host, "port": int(port)}))
    if ANSWERS_EVERYWHERE:
        assert main(["jobs", "sweep", "--livy-conn-id", "livy"]) == 0
        assert capsys.readouterr().out == "owned 0, cancelled 0, left 0, unknown 0, failed 0\n"
    else:
        assert main(["jobs", "sweep", "--livy-conn-id", "livy"]) == 1
        assert "In a DAG, SparkJobSweepOperator needs none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("place", "target"),
    [
        (["--cluster", "ü x"], "cluster name 'ü x'"),
        (["--cluster-id", "j-1"], "cluster id 'j-1'"),
        (["--application", "scoring"], "application name 'scoring'"),
        (["--application-id", "00f"], "application id '00f'"),
        (["--virtual-cluster-id", "vc1"], "virtual_cluster id 'vc1'"),
        (["--livy-conn-id", "livy"], "livy_connection id 'livy'"),
    ],
)
def test_a_place_is_a_target_that_needs_nothing_more_to_list_its_jobs(place, target):
    found = parser().parse_args(["jobs", "sweep", *place]).target
    assert f"{found.kind} {found}" == target


def test_without_a_place_all_clusters_of_the_connection_are_meant():
    told = parser().parse_args(["jobs", "sweep"])
    assert (told.target, told.master, told.report, told.aws_conn_id) == (None, None, False, "aws_default")


def test_an_empty_name_is_refused_and_not_taken_for_all(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["jobs", "sweep", "--cluster", ""])
    assert ended.value.code == 2
    assert "--cluster" in capsys.readouterr().err
