from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.scoring import livy_jobs
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY, owner_text
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable, JobState
from airflow_agari_provider.scoring.livy import LivySpark
from airflow_agari_provider.scoring.livy_jobs import LivyJobs, LivyTooOld
from airflow_agari_provider.scoring.rest_requests import RestAddress
from tests.scoring.one_task_run import JOB, RUN

HEADERS = {"X-Requested-By": "airflow"}


def jobs_on(world, **target):
    return LivyJobs(lambda conn_id: RestAddress(world.url, "ada", "hush", HEADERS), LivySpark("livy", **target))


def test_a_batch_has_the_job_its_token_and_the_address_of_its_task(livy_world):
    owner = owner_text(RUN, True)
    job = replace(
        JOB,
        spark_conf={"spark.dynamicAllocation.enabled": True, OWNER_PROPERTY: owner},
        jars=("s3://agari/a.jar",),
        py_files=("s3://agari/b.py",),
        main_class="com.example.Score",
    )
    submitted = jobs_on(livy_world, options={"queue": "scoring"}).submit(job, RUN.token)
    assert livy_world.steps[0].body == {
        "queue": "scoring",
        "file": "s3://agari/score.py",
        "className": "com.example.Score",
        "args": ["--hour", "5"],
        "jars": ["s3://agari/a.jar"],
        "pyFiles": ["s3://agari/b.py"],
        "conf": {
            "spark.dynamicAllocation.enabled": "true",
            OWNER_PROPERTY: owner,
            "spark.agari.run_token": RUN.token,
        },
        "name": f"{RUN.token}-0 {owner}",
    }
    assert (submitted.job_id, submitted.token, submitted.owner) == ("0", RUN.token, owner)
    assert set(livy_world.credentials) == {"Basic YWRhOmh1c2g="}


def test_all_pages_are_looked_at_also_when_livy_forgets_batches_meanwhile(livy_world, monkeypatch):
    monkeypatch.setattr(livy_jobs, "PAGE", 5)
    monkeypatch.setattr(livy_jobs, "OVERLAP", 2)
    jobs = jobs_on(livy_world)
    for number in range(17):
        jobs.submit(JOB, f"{number:032x}")
    livy_world.before("get_batches", lambda: livy_world.before("get_batches", lambda: livy_world.gone.update({0, 1})))
    assert [job.token for job in jobs.live_jobs()] == [f"{number:032x}" for number in range(17)]


def test_a_livy_that_tells_no_names_gets_no_job(livy_world):
    livy_world.tells_names = False
    with pytest.raises(LivyTooOld, match=r"needs Livy 0\.7 or later"):
        jobs_on(livy_world).submit(JOB, RUN.token)
    assert livy_world.states == ["killed"]


def test_a_batch_that_livy_forgot_is_an_error_that_says_why(livy_world):
    jobs = jobs_on(livy_world)
    job = jobs.submit(JOB, RUN.token)
    livy_world.gone.add(0)
    with pytest.raises(BackendRefused, match=r"restarted without livy\.server\.recovery\.mode=recovery"):
        jobs.state(job)
    jobs.cancel(job)


def test_a_batch_with_the_id_of_an_earlier_one_is_not_taken_for_it(livy_world):
    jobs = jobs_on(livy_world)
    jobs.submit(JOB, "a" * 32)
    other = JobState("livy", "0", token=RUN.token, kind=LivySpark.kind)
    with pytest.raises(BackendRefused):
        jobs.state(other)
    jobs.cancel(other)
    assert livy_world.states == ["starting"]


def test_a_cancelled_batch_is_gone_and_that_is_its_end(livy_world):
    jobs = jobs_on(livy_world)
    job = jobs.submit(JOB, RUN.token)
    jobs.cancel(job)
    assert jobs.state(job).phase == "CANCELLED"
    assert jobs_on(livy_world).state(replace(job, phase="CANCELLING")).phase == "CANCELLED"  # in another process


def test_the_end_of_the_log_is_shown(livy_world):
    jobs = jobs_on(livy_world)
    job = jobs.submit(JOB, RUN.token)
    livy_world.end(livy_world.steps[0], "dead", out="stdout: ", error="ValueError: no\x1b[31m")
    log = jobs.driver_log(job, 5)
    assert log.last_exception == "ValueError: no[31m"
    assert str(log) == f"Last lines of {livy_world.url}/batches/0/log:\nstdout:\nValueError: no[31m"
    assert log.complete(None)


@pytest.mark.parametrize("passes", [True, False], ids=["server error", "no such page"])
def test_a_server_that_is_not_livy_is_named(livy_world, passes):
    if passes:
        livy_world.fail("get_batches")
    jobs = jobs_on(livy_world) if passes else LivyJobs(lambda conn_id: RestAddress(f"{livy_world.url}/x"), LivySpark())
    with pytest.raises(
        BackendUnavailable if passes else BackendRefused, match=r"answered 500|is the connection's host"
    ):
        jobs.live_jobs()
