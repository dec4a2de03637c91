from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.scoring.task_run import TaskRun, generation_of, run_token

RUN = TaskRun("telemetry", "hour_5", "score", -1, 0, datetime.now(UTC) - timedelta(days=1))


def test_the_token_is_the_same_for_every_attempt_and_new_after_a_clear():
    first = run_token("telemetry", "hour_5", "score", -1, 0)
    assert first == "ac3ce6b776f81930dec9515af18adfc3"
    assert run_token("telemetry", "hour_5", "score", -1, 1) != first
    assert run_token("telemetry", "hour_5", "score", 0, 0) != first


@pytest.mark.parametrize(
    ("max_tries", "retries", "generation"),
    [
        pytest.param(0, 0, 0, id="first attempt without retries"),
        pytest.param(3, 3, 0, id="any attempt of a task with retries"),
        pytest.param(5, 3, 2, id="cleared after two attempts"),
        pytest.param(1, 3, 0, id="retries raised meanwhile"),
    ],
)
def test_only_a_clear_begins_a_new_generation(max_tries, retries, generation):
    assert generation_of(max_tries, retries) == generation
