from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_agari_provider.scoring.job_owner import JobOwner, owner_text, read_owner
from tests.scoring.one_task_run import RUN

ODD = replace(RUN, dag_id="a.b", run_id="scheduled__2026-01-01T00:00:00+00:00/x é", task_id="group.score", map_index=3)
ODD_NUMBERS = [f"telemetry/hour_5/score/{numbers}/cancel" for numbers in ("-1/²", "--1/0", "-/0", f"-1/{'9' * 5000}")]


@pytest.mark.parametrize("run", [RUN, ODD, replace(RUN, generation=2)])
@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_an_owner_is_read_back_as_it_was_written(run, cancel_on_kill):
    text = owner_text(run, cancel_on_kill)
    owner = JobOwner(run.dag_id, run.run_id, run.task_id, run.map_index, cancel_on_kill)
    assert (read_owner(text, run.token), " " in text) == (owner, False)


@pytest.mark.parametrize(
    "text",
    ["", "a/b", "telemetry/hour_5/score/x/0/cancel", "telemetry/hour_5/score/-1//cancel", *ODD_NUMBERS],
    ids=lambda text: ascii(text[-16:]),
)
def test_what_names_no_owner_is_none(text):
    assert read_owner(text, RUN.token) is None


def test_an_owner_that_does_not_belong_to_the_token_is_none():
    assert read_owner(owner_text(replace(RUN, run_id="hour_6"), True), RUN.token) is None
