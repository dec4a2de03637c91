"""Makes the next items while the caller still works on the current one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")

PATIENCE = 0.1  # seconds between two checks whether the other side has gone
FAREWELL = 5.0  # seconds that a busy thread gets to notice that its items are no longer needed


class ReadAhead(Generic[T]):
    """
    The items of a generator, which runs in a thread of its own until it ends or :meth:`close` is called.

    An exception of the generator is raised where its next item would have come.

    :param ready: how many items may wait at most; one more is being made.
    """

    def __init__(self, items: Generator[T], ready: int) -> None:
        self._queue: Queue[tuple[str, Any]] = Queue(ready)
        self._closed = Event()
        # A daemon thread, so that a process that is told to end does not wait for a connection that hangs.
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
        """End the thread. May be called from any thread, and more than once."""
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
    """Put an entry into the queue; False if the reader closed the queue first."""
    while not closed.is_set():
        with suppress(Full):
            queue.put(entry, timeout=PATIENCE)
            return True
    return False
