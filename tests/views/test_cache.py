from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_agari_provider.views.cache import Kept

FRESH, STALE, MOST = 10, 60, 2


class Counted:
    """Work that counts how often it was done, and waits until it may continue."""

    def __init__(self) -> None:
        self.count = 0
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self) -> int:
        self.count += 1
        number = self.count
        assert self.may_go_on.wait(60)
        return number


@pytest.fixture
def clock():
    return [0.0]


@pytest.fixture
def kept(clock):
    return Kept(FRESH, STALE, MOST, at_once=1, clock=lambda: clock[0])


def eventually(question) -> None:
    deadline = time.monotonic() + 60
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_result_is_given_again_while_it_is_fresh(kept, clock):
    work = Counted()
    found = [kept.get("overview", work)]
    clock[0] = 9.9
    found.append(kept.get("overview", work))
    assert (found, work.count) == ([1, 1], 1)


def test_fifty_who_ask_at_once_wait_for_one_answer(kept):
    work = Counted()
    work.may_go_on.clear()
    with ThreadPoolExecutor(50) as readers:
        waiting = [readers.submit(kept.get, "overview", work) for _ in range(50)]
        eventually(lambda: work.count)
        work.may_go_on.set()
        assert {one.result() for one in waiting} == {1}
    assert work.count == 1


def test_readers_get_the_old_result_at_once_until_it_is_stale(kept, clock):
    work = Counted()
    kept.get("overview", work)
    work.may_go_on.clear()
    clock[0] = 10
    assert [kept.get("overview", work), kept.get("overview", work)] == [1, 1]  # the second is under way
    work.may_go_on.set()
    eventually(lambda: kept.get("overview", work) == 2)
    clock[0] = 70
    assert kept.get("overview", work) == 3


def test_a_failure_reaches_all_waiting_readers_and_is_not_kept(kept, clock):
    work = Counted()
    kept.get("overview", work)

    def fail() -> int:
        raise ConnectionError("the database is away")

    clock[0] = 10
    assert kept.get("overview", fail) == 1
    eventually(lambda: kept.get("overview", work) == 2)
    clock[0] = 80
    with pytest.raises(ConnectionError, match="is away"):
        kept.get("overview", fail)
    assert kept.get("overview", work) == 3


def test_only_the_newest_results_are_kept(kept):
    work = Counted()
    assert [kept.get(key, work) for key in "abc"] == [1, 2, 3]
    assert [kept.get(key, work) for key in "bca"] == [2, 3, 4]


def test_large_results_are_not_all_kept(clock):
    kept = Kept(FRESH, STALE, 9, at_once=1, clock=lambda: clock[0], size=len, most_size=10)
    for text in ("aaaa", "bbbb", "cccc", "b" * 20):
        assert kept.get(text, lambda text=text: text) == text
        assert kept.get(text, pytest.fail) == text
    kept.get("aaaa", lambda: "aaaa")
    kept.get("dddd", lambda: "dddd")
    assert kept.get("aaaa", pytest.fail) == "aaaa"
    with pytest.raises(pytest.fail.Exception):
        kept.get("b" * 20, pytest.fail)
