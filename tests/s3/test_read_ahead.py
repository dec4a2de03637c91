from __future__ import annotations

import threading
import time
from collections.abc import Generator

import pytest

from airflow_agari_provider.s3.read_ahead import ReadAhead


def test_items_come_in_their_order():
    assert list(ReadAhead((number for number in range(100)), 2)) == list(range(100))


def test_no_more_are_made_than_may_wait_and_one():
    made = []

    def items() -> Generator[int]:
        for number in range(100):
            made.append(number)
            yield number

    ahead = ReadAhead(items(), 2)
    assert next(ahead) == 0
    give_up = time.monotonic() + 30
    while len(made) < 4 and time.monotonic() < give_up:
        time.sleep(0.01)
    time.sleep(0.3)
    assert made == [0, 1, 2, 3]  # one taken, two that wait, one in hand
    ahead.close()


def test_an_exception_comes_in_the_place_of_its_item():
    def items() -> Generator[int]:
        yield 1
        raise LookupError("broken")

    ahead = ReadAhead(items(), 2)
    assert next(ahead) == 1
    with pytest.raises(LookupError, match="broken"):
        next(ahead)
    assert list(ahead) == []


def test_closing_ends_the_thread_and_the_generator():
    ended = threading.Event()

    def items() -> Generator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    ahead = ReadAhead(items(), 2)
    next(ahead)
    ahead.close()
    assert ended.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "read-ahead" and thread.is_alive()]
    ahead.close()
    assert list(ahead) == []
