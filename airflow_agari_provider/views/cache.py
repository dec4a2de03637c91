"""Results that many readers share: worked out once for all who wait, and kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from math import inf
from typing import Generic, TypeVar

T = TypeVar("T")
ANSWERED = 0.1  # seconds, after which whoever is given an old result has it: only then is the newer one begun


class Kept(Generic[T]):
    """
    A few results, each of which is worked out in a thread of its own, by one thread at a time.

    A result is given as it is while it is fresh. After that it is given too, while a newer one is being worked out;
    and once it is stale, or if there is none, the reader waits for the newer one. Whoever waits shares its failure.

    :param fresh: seconds.
    :param stale: seconds, not fewer.
    :param most: results that are kept; the oldest goes.
    :param at_once: threads.
    :param size: of a result.
    :param most_size: of all that are kept together; the newest is, whatever its size.
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
        self._results: dict[Hashable, tuple[float, T]] = {}  # when it was begun, and what came out; the oldest first
        self._under_way: dict[Hashable, Future[T]] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="agari-charts")

    def get(self, key: Hashable, work: Callable[[], T]) -> T:
        """
        The result of ``work``, which stands for all work of that key.

        Give back a database's connection before: ``work`` needs one, and the pool may have no other.
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
