from __future__ import annotations

import threading

import pytest

from airflow_agari_provider.scoring.bounded_calls import BoundedCalls


def test_a_call_returns_what_it_returns_or_raises_its_own_error():
    calls = BoundedCalls(20)
    assert calls(max, 3, 5) == 5
    with pytest.raises(ZeroDivisionError):
        calls(divmod, 1, 0)


def test_a_call_that_hangs_is_given_up_and_with_too_many_of_them_no_other_one_begins():
    calls, end, begun = BoundedCalls(0.01, most_hung=2), threading.Event(), []
    for _ in range(2):
        with pytest.raises(TimeoutError, match=r"no whole answer within 0\.01 s"):
            calls(end.wait, 20)
    with pytest.raises(TimeoutError, match="2 earlier requests still hang"):
        calls(begun.append, True)
    assert begun == []
    hung = list(calls._hung)
    end.set()
    for thread in hung:
        thread.join()
    assert calls(max, 3, 5, more_seconds=20) == 5


def test_a_timeout_of_the_call_itself_is_its_own_error():
    def late():
        raise TimeoutError("of the socket")

    with pytest.raises(TimeoutError, match="of the socket"):
        BoundedCalls(20)(late)
