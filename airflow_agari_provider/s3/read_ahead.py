"""The next items while the caller is still at work on this one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")

PATIENCE = 0.1  # seconds between two looks at whether the other side has gone
FAREWELL = 5.0  # seconds that a thread in the middle of something gets to notice that nobody waits for it any more


class ReadAhead(Generic[T]):
    """
    The items of a generator, which runs in a thread of its own until it ends or :meth:`close` is called.

    An exception comes where its item would have come.

    :param ready: how many items may wait at most; one more is being made.
    """

    def __init__(self, items: Generator[T], ready: int) -> None:
        self._queue: Queue[tuple[str, Any]] = Queue(ready)
        self._closed = Event()
        # A daemon: a process that is told to end does not wait for a connection that hangs.
        self._thread = Thread(target=_fill, args=(items, self._queue, self._closed), name="read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> ReadAhead[T]:
        return self

    def __next__(self) -> T:
        kind, value = self._next()
        if kind == "item":
            item: T = value
            return item
        self._closed.set()
        raise StopIteration if kind == "end" else value

    def _next(self) -> tuple[str, Any]:
        while not self._closed.is_set():
            with suppress(Empty):
                return self._queue.get(timeout=PATIENCE)
        return "end", None

    def close(self) -> None:
        """End the thread; from any thread, and as often as one likes."""
        self._closed.set()
        self._thread.join(FAREWELL)


def _fill(items: Generator[Any], queue: Queue[Any], closed: Event) -> None:
    last: tuple[str, Any] = ("end", None)
    try:
        for item in items:
            if not _put(queue, ("item", item), closed):
                return
    except BaseException as error:  # noqa: BLE001 - the caller raises it
        last = ("error", error)
    finally:
        items.close()
    _put(queue, last, closed)


def _put(queue: Queue[Any], entry: tuple[str, Any], closed: Event) -> bool:
    """Whether somebody still waits for it."""
    while not closed.is_set():
        with suppress(Full):
            queue.put(entry, timeout=PATIENCE)
            return True
    return False
