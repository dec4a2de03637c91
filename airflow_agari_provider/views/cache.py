"""Results that many readers share: computed once for all waiting readers, and kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf
from typing import Generic, TypeVar

T = TypeVar("T")
ANSWERED = 0.1  # seconds in which a reader receives the old result; only then does work on the newer one begin


class Kept(Generic[T]):
    """
    A few results. Each is computed in a thread of its own, and by only one thread at a time.

    A fresh result is returned as it is. An older result is returned too, while a newer one is being computed. If the
    result is stale or missing, the reader waits for the newer one. All waiting readers get the same result or error.

    :param fresh: seconds for which a result is fresh.
    :param stale: seconds after which a result is stale; not fewer than ``fresh``.
    :param most: how many results are kept; the oldest is dropped.
    :param at_once: number of threads.
    :param size: function that returns the size of a result.
    :param most_size: largest size of all kept results together; the newest result is kept at any size.
    """

    def __init__(
        self,
        fresh: float,
        stale: float,
        most: int,
        at_once: int,
        clock: Callable[[], float] = time.monotonic,
        *,
        size: Callable[[T], int] = lambda result: 1,
        most_size: float = inf,
    ) -> None:
        self._fresh, self._stale, self._most, self._clock = fresh, stale, most, clock
        self._size, self._most_size = size, most_size
        self._results: dict[Hashable, tuple[float, T]] = {}  # when the work began, and its result; the oldest first
        self._under_way: dict[Hashable, Future[T]] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="agari-charts")

    def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """
        Return the result of ``work``, or of equal work: all work with the same key must have the same result.

        Return your database connection to the pool before this call: ``work`` needs one, and may find no other there.
        """
        with self._lock:
            kept = self._results.get(key)
            age = inf if kept is None else self._clock() - kept[0]
            if kept and age < self._fresh:
                return kept[1]
            if key not in self._under_way:
                pause = ANSWERED if age < self._stale else 0.0
                self._under_way[key] = self._threads.submit(self._work_out, key, work, pause)
            newer = self._under_way[key]
        return kept[1] if kept and age < self._stale else newer.result()

    def _work_out(self, key: Hashable, work: Callable[[], T], pause: float) -> T:
        time.sleep(pause)
        begun = self._clock()
        try:
            result = work()
            with self._lock:
                self._results.pop(key, None)
                self._results[key] = begun, result
                while len(self._results) > self._most or self._too_large():
                    del self._results[next(iter(self._results))]
            return result
        finally:
            with self._lock:
                del self._under_way[key]

    def _too_large(self) -> bool:
        sizes = [self._size(result) for _, result in self._results.values()]
        return len(sizes) > 1 and sum(sizes) > self._most_size
