"""The threads of alerts: of our own, so that a database or a service that hangs holds up nobody else in the process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# For all that an alert waits for in a triggerer, whose own pool runs the triggers of every DAG.
POOL = ThreadPoolExecutor(max_workers=64, thread_name_prefix="agari-alert")
MOST_ABANDONED = 8  # threads that still hang; with as many, no further one is started


class Patience:
    """
    Runs what may hang, such as a driver that waits for a server, for a limited time.

    After something hung, further work is refused for a while, so that many who wait do not each wait in turn.

    :param seconds: for which the work may take.
    :param pause: seconds for which further work is refused.
    """

    def __init__(self, seconds: float, pause: float) -> None:
        self.seconds, self.pause = seconds, pause
        self._again_at = 0.0
        self._abandoned: list[threading.Thread] = []

    def run(self, work: Callable[[Callable[[], bool]], Result]) -> Result:
        """
        Run the work, and return what it returns.

        :param work: takes a function that tells whether anybody still waits for the work.
        :raises TimeoutError: it took too long, or is refused because something hung before.
        """
        self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
        if time.monotonic() < self._again_at or len(self._abandoned) >= MOST_ABANDONED:
            raise TimeoutError("it did not answer a moment ago")
        outcome: Future[Result] = Future()
        late = threading.Event()

        def run() -> None:
            try:
                outcome.set_result(work(lambda: not late.is_set()))
            except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
                outcome.set_exception(error)

        # Not of a pool: Python waits at its end for the threads of pools, and this one may hang
        thread = threading.Thread(target=run, name="agari-claims", daemon=True)
        thread.start()
        try:
            return outcome.result(self.seconds)
        except TimeoutError:
            if outcome.done():
                return outcome.result()  # the work's own error, or it was done at the last moment
            late.set()
            self._again_at = time.monotonic() + self.pause
            self._abandoned.append(thread)
            raise TimeoutError(f"it did not answer within {self.seconds:g} s") from None
