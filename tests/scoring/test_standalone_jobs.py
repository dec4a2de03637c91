from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.scoring import standalone_jobs
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.job_notes import INTENT
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY, owner_text
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable
from airflow_agari_provider.scoring.standalone import StandaloneSpark
from airflow_agari_provider.scoring.standalone_jobs import StandaloneJobs
from airflow_agari_provider.scoring.submission import submit_or_rejoin
from tests.scoring.one_task_run import JOB, RUN, patience


@pytest.fixture
def new_jobs(standalone_world, s3, bucket):
    """Makes what another process would have: the jobs of the one target, without a memory."""
    target = StandaloneSpark(standalone_world.url, "s3://agari/notes", ui_url=standalone_world.url)
    return lambda: StandaloneJobs(AwsRequests(lambda: lambda service, **config: s3), target)


def lose_the_answer(world, jobs):
    world.fail("create", carried_out=True)
    with pytest.raises(BackendUnavailable):
        jobs.submit(JOB, RUN.token)


def test_a_submission_that_may_be_on_its_way_is_waited_for(standalone_world, new_jobs):
    lose_the_answer(standalone_world, new_jobs())
    with pytest.raises(BackendUnavailable, match="that attempt died, or is not ready yet"):
        new_jobs().find((RUN.token,), RUN.since)


@pytest.mark.parametrize("state", ["SUBMITTED", "RUNNING", "FINISHED"])
def test_a_driver_whose_application_shows_the_token_is_the_job(standalone_world, new_jobs, monkeypatch, state):
    monkeypatch.setattr(standalone_jobs, "ON_ITS_WAY", 0.0)
    lose_the_answer(standalone_world, new_jobs())
    standalone_world.steps[0].state = state
    job, rejoined = submit_or_rejoin(new_jobs(), JOB, RUN, patience())
    assert (job.job_id, rejoined, len(standalone_world.steps)) == (standalone_world.steps[0].id, True, 1)


def test_before_a_live_driver_without_a_name_has_ended_no_other_is_submitted(standalone_world, new_jobs, monkeypatch):
    monkeypatch.setattr(standalone_jobs, "ON_ITS_WAY", 0.0)
    standalone_world.registers = False
    lose_the_answer(standalone_world, new_jobs())
    with pytest.raises(BackendUnavailable, match=r"it may be driver-20261130160000-0000: no other is submitted before"):
        submit_or_rejoin(new_jobs(), JOB, RUN, patience(max_errors=3))
    assert standalone_world.states == ["SUBMITTED"]
    end = lambda: standalone_world.end(standalone_world.steps[0], "FINISHED")  # noqa: E731
    job, rejoined = submit_or_rejoin(new_jobs(), JOB, RUN, patience(end))
    assert (standalone_world.states, rejoined) == (["FINISHED", "SUBMITTED"], False)
    assert job.job_id == standalone_world.steps[1].id


def test_drivers_that_are_somebody_s_or_older_are_not_waited_for(standalone_world, new_jobs, monkeypatch):
    monkeypatch.setattr(standalone_jobs, "ON_ITS_WAY", 0.0)
    standalone_world.registers = False
    new_jobs().submit(JOB, "b" * 32)
    standalone_world.answer("POST", "/v1/submissions/create", {"sparkProperties": {"spark.app.name": "x"}})
    standalone_world.steps[1].submitted_at -= 3600
    standalone_world.fail("create")
    with pytest.raises(BackendUnavailable):
        new_jobs().submit(JOB, RUN.token)
    job, _ = submit_or_rejoin(new_jobs(), JOB, RUN, patience())
    assert job.job_id == standalone_world.steps[2].id


def test_a_finished_job_is_taken_over_and_one_that_the_master_forgot_is_run_again(standalone_world, new_jobs):
    first, _ = submit_or_rejoin(new_jobs(), JOB, RUN, patience())
    standalone_world.end(standalone_world.steps[0], "FINISHED")
    assert submit_or_rejoin(new_jobs(), JOB, RUN, patience())[0].job_id == first.job_id
    standalone_world.forgotten.add(first.job_id)
    with pytest.raises(BackendRefused, match="the master does not know it any more"):
        new_jobs().state(first)
    job, rejoined = submit_or_rejoin(new_jobs(), JOB, RUN, patience())
    assert (job.job_id, rejoined) == (standalone_world.steps[1].id, False)


def test_a_job_s_owner_is_noted_and_its_log_is_where_it_is(standalone_world, new_jobs, s3):
    owner = owner_text(RUN, True)
    job = new_jobs().submit(replace(JOB, spark_conf={OWNER_PROPERTY: owner}), RUN.token)
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="agari")["Contents"]]
    assert keys == [f"notes/{RUN.token}/0/{job.job_id}", f"notes/{RUN.token}/0/{INTENT}"]
    assert [live.owner for live in new_jobs().live_jobs()] == [owner]
    assert str(new_jobs().driver_log(job, 5)) == f"Its log is on worker-1:4711, in Spark's folder work/{job.job_id}/."
    assert str(job) == f"Spark job {job.job_id} on spark master {standalone_world.url}"


def test_an_address_that_is_no_master_s_page_is_named(standalone_world, new_jobs, s3):
    target = StandaloneSpark(standalone_world.url, "s3://agari/notes", ui_url=f"{standalone_world.url}/v1/x/status/1")
    jobs = StandaloneJobs(AwsRequests(lambda: lambda service, **config: s3), target)
    with pytest.raises(BackendRefused, match=r"give StandaloneSpark\(ui_url=\.\.\.\)"):
        jobs.live_jobs()
