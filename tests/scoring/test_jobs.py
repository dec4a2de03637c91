from __future__ import annotations

import pytest

from airflow_agari_provider.scoring.jobs import BackendRefused, JobState


@pytest.mark.parametrize(
    ("phase", "live"),
    [
        ("PENDING", True),
        ("RUNNING", True),
        ("CANCELLING", True),
        ("SUCCEEDED", False),
        ("FAILED", False),
        ("CANCELLED", False),
    ],
)
def test_a_job_is_live_until_it_has_ended(phase, live):
    assert JobState("j-1", "s-1", phase).live is live


@pytest.mark.parametrize(
    ("submitted_at", "ended_at", "seconds"),
    [
        pytest.param(100.0, 160.5, 60.5, id="both times"),
        pytest.param(100.0, None, None, id="no end"),
        pytest.param(None, 160.5, None, id="no submission"),
        pytest.param(0.0, 0.0, 0.0, id="at once"),
    ],
)
def test_a_job_lasts_from_its_submission_to_its_end(submitted_at, ended_at, seconds):
    assert JobState("j-1", "s-1", submitted_at=submitted_at, ended_at=ended_at).seconds == seconds


def test_a_job_and_an_error_name_what_they_are_about():
    assert str(JobState("j-1", "s-1")) == "Spark job s-1 on cluster j-1"
    assert str(BackendRefused("Cancelling s-1", "no permission")) == "Cancelling s-1 failed: no permission"
