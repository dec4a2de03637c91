"""The command line: what people type, what they are told, and with which exit code it ends."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import replace

import pytest

from airflow_agari_provider.airflow_runs import ANSWERS_EVERYWHERE
from airflow_agari_provider.commands import jobs
from airflow_agari_provider.commands.agari import main
from airflow_agari_provider.hooks.spark_jobs import spark_jobs
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY, owner_text
from airflow_agari_provider.scoring.livy import LivySpark
from tests.scoring.one_task_run import JOB, RUN


@pytest.fixture(autouse=True)
def claims(sqlite_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))
    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", "claims")


def test_a_silence_is_made_listed_and_ended(capsys):
    asked = ["alerts", "silence", "--dag", "tele*", "--until", "2h", "--why", "upgrade", "--who", "ada"]
    assert main(asked) == 0
    made = capsys.readouterr().out
    found = re.fullmatch(r"(\w{8})  \d{4}-\d\d-\d\d \d\d:\d\d UTC to .* UTC  DAG tele\*, task \*  ada: upgrade\n", made)
    assert found
    assert (main(["alerts", "silences"]), capsys.readouterr().out) == (0, made)
    assert main(["alerts", "end-silence", found[1]]) == 0
    assert "is over" in capsys.readouterr().out
    assert (main(["alerts", "silences"]), capsys.readouterr().out) == (0, "There is no silence.\n")
    assert main(["alerts", "end-silence", found[1]]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--dag", "x", "--why", "y"], 2, "--until"),
        (["--dag", "x", "--until", "2h"], 2, "--why"),
        (["--dag", "x", "--until", "tomorrow", "--why", "y"], 2, "is no time"),
        (["--dag", "x", "--until", "2016-02-26T18:00", "--why", "y"], 1, "must end after it begins, and after now"),
        (["--dag", "x", "--until", "400d", "--why", "y"], 1, "at most a year"),
    ],
)
def test_a_wrong_silence_is_refused_with_what_is_wrong(arguments, code, says, capsys):
    with pytest.raises(SystemExit) as ended:
        sys.exit(main(["alerts", "silence", *arguments]))
    assert ended.value.code == code
    assert says in capsys.readouterr().err


def test_an_end_without_a_zone_is_in_utc(capsys):
    hour = time.strftime("%Y-%m-%dT%H:30", time.gmtime(time.time() + 7200))
    assert main(["alerts", "silence", "--dag", "x", "--until", hour, "--why", "y"]) == 0
    assert f"to {hour.replace('T', ' ')} UTC" in capsys.readouterr().out


def test_without_a_place_of_the_claims_it_says_what_to_set(monkeypatch, capsys):
    monkeypatch.delenv("AIRFLOW__AGARI__ALERTS_CONN_ID")
    assert main(["alerts", "silences"]) == 1
    assert "Set [agari] alerts_conn_id" in capsys.readouterr().err
    assert main(["alerts", "silences", "--claims-conn-id", "claims"]) == 0


def test_claims_that_cannot_be_used_are_one_sentence(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": "/nowhere/claims.db"}))
    assert main(["alerts", "silences"]) == 1
    assert "agari: The database of the claims cannot be used: OperationalError" in capsys.readouterr().err


def test_a_sweep_tells_its_figures_or_how_to_ask_airflow(capsys):
    if ANSWERS_EVERYWHERE:
        assert main(["alerts", "sweep"]) == 0
        assert capsys.readouterr().out.startswith("open 0, recovered 0, failed 0, sent 0")
    else:
        assert main(["alerts", "sweep"]) == 1
        assert "set [agari] airflow_api_conn_id" in capsys.readouterr().err


# Spark jobs


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
