from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.queues.drain_errors import (
    COMING_BACK,
    HANGING,
    NO_CONSUMER,
    NOT_ARRIVED,
    DeadLettersGrew,
    DrainFailed,
    Stalled,
)

STALLED = Stalled(3600.4, "q: 3 visible", NO_CONSUMER)
GREW = DeadLettersGrew({"dead": (2, 5), "dead-2": (0, 1)}, "no such column")


@pytest.mark.parametrize("error", [STALLED, GREW], ids=["stalled", "dead letters"])
def test_a_wait_that_failed_survives_the_way_between_processes(error):
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, DrainFailed)
    assert (vars(again), str(again)) == (vars(error), str(error))


@pytest.mark.parametrize("cause", [COMING_BACK, HANGING, NO_CONSUMER, NOT_ARRIVED])
def test_a_stall_says_for_how_long_where_and_what_to_do(cause):
    text = str(Stalled(3600.4, "q: 3 visible", cause))
    assert text == f"No progress for 3600 s (q: 3 visible): {cause}"
    assert len(cause.rstrip(".").split(". ")) == 2


def test_grown_queues_are_named_with_their_counts_and_one_letter():
    text = str(GREW)
    assert text.startswith("Dead-letter queue dead grew from 2 to 5; dead-2 grew from 0 to 1 message(s): the consumers")
    assert " One of them: no such column. Fix the cause" in text


@pytest.mark.parametrize("sample", [None, ""])
def test_a_letter_that_could_not_be_read_is_left_out(sample):
    assert "One of them" not in str(DeadLettersGrew({"dead": (0, 1)}, sample))
