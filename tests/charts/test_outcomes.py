"""Outcomes by Airflow's states; ``test_states.py`` has what the charts then count."""

from __future__ import annotations

import pytest

from airflow_agari_provider.charts.outcomes import OUTCOMES, STANDS, STANDS_AS, outcome_of

NO_TRY = (None, "", "scheduled", "queued", "none", "upstream_failed", "up_for_retry", "a_new_state", "SUCCESS")


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("success", "success"),
        ("failed", "failed_first"),
        ("running", "running"),
        ("skipped", "skipped"),
        ("removed", "removed"),
        ("deferred", "deferred"),
        ("up_for_reschedule", "deferred"),
        ("awaiting_input", "deferred"),
        *((state, None) for state in NO_TRY),
    ],
)
def test_the_newest_try_has_the_outcome_of_its_state_or_never_ran(state, outcome):
    assert outcome_of(state, 0, old=False) == outcome


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("success", "superseded"),
        ("skipped", "skipped"),
        ("removed", "removed"),
        ("upstream_failed", None),
        *((state, "failed_first") for state in ("failed", "up_for_retry", "running", "deferred", None, "a_new_state")),
    ],
)
def test_an_old_try_failed_unless_its_state_says_otherwise(state, outcome):
    assert outcome_of(state, 0, old=True) == outcome


@pytest.mark.parametrize(
    ("failures", "outcome"), [(0, "failed_first"), (1, "failed_second"), (2, "failed_later"), (10**9, "failed_later")]
)
@pytest.mark.parametrize("old", [True, False])
def test_a_failure_is_the_first_the_second_or_a_later_one(failures, outcome, old):
    assert outcome_of("failed", failures, old=old) == outcome
    assert outcome_of("success", failures, old=old) in ("success", "superseded")


@pytest.mark.parametrize("old", [True, False])
def test_only_a_skip_that_was_cut_off_is_a_failure(old):
    assert outcome_of("skipped", 1, old=old, cut_off=True) == "failed_second"
    assert outcome_of("removed", 1, old=old, cut_off=True) == "removed"
    assert outcome_of("success", 1, old=False, cut_off=True) == "success"


def test_every_outcome_can_be_reached_and_none_is_there_twice():
    states = [*STANDS_AS, None]
    reached = {
        outcome_of(state, failures, old=old, cut_off=cut)
        for state in states
        for failures in range(3)
        for old in (True, False)
        for cut in (True, False)
    }
    assert reached - {None} == set(OUTCOMES)
    assert len(set(OUTCOMES)) == len(OUTCOMES)


def test_every_state_stands_for_one_that_is_shown():
    assert set(STANDS_AS.values()) <= set(STANDS)
    assert len(set(STANDS)) == len(STANDS)
