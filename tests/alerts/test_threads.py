"""What hangs is waited for only for a while, and holds up nobody who comes after it."""

from __future__ import annotations

import threading

import pytest

from airflow_agari_provider.alerts import threads
from airflow_agari_provider.alerts.threads import Patience


@pytest.fixture
def hanging():
    """Work that hangs until the test ends, and what it then knew of those who waited."""
    release, answers = threading.Event(), []

    def hang(is_wanted):
        release.wait(30)
        answers.append(is_wanted())

    yield hang
    release.set()


def test_work_in_time_returns_what_it_found_or_raises_its_own_error():
    patience = Patience(30, 30)
    assert patience.run(lambda is_wanted: ("found", is_wanted())) == ("found", True)
    for error in (ValueError("no such table"), TimeoutError("of the driver")):

        def fail(is_wanted, error=error):
            raise error

        with pytest.raises(type(error), match=str(error)):
            patience.run(fail)


def test_work_that_hangs_is_given_up_and_learns_that_nobody_waits():
    release, answers = threading.Event(), []

    def hang(is_wanted):
        release.wait(30)
        answers.append(is_wanted())

    patience = Patience(0.05, 0)
    with pytest.raises(TimeoutError, match=r"it did not answer within 0\.05 s"):
        patience.run(hang)
    release.set()
    patience._abandoned[0].join(30)
    assert answers == [False]


def test_after_work_that_hung_no_other_waits_for_a_while(hanging):
    patience = Patience(0.05, 600)
    for problem in ("did not answer within", "did not answer a moment ago"):
        with pytest.raises(TimeoutError, match=problem):
            patience.run(hanging)
    assert len(patience._abandoned) == 1


def test_no_more_than_a_few_threads_hang(hanging, monkeypatch):
    monkeypatch.setattr(threads, "MOST_ABANDONED", 2)
    patience = Patience(0.05, 0)
    for _ in range(4):
        with pytest.raises(TimeoutError):
            patience.run(hanging)
    assert len(patience._abandoned) == 2
