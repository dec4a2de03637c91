"""Calls to a server, each of which ends by the clock, also if the server sends one byte every few seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

MOST_HUNG = 32  # calls that hang at once, for each object of the class; each keeps a thread and a connection


class BoundedCalls:
    """
    Runs calls that may hang, for a limited time each.

    The timeout of a socket begins anew with each byte, so it does not end a call to a server that drips bytes.

    :param seconds: how long one call may take.
    :param most_hung: with as many calls that were given up and still hang, further ones are refused at once.
    """

    def __init__(self, seconds: float, most_hung: int = MOST_HUNG) -> None:
        self.seconds, self.most_hung = seconds, most_hung
        self._guard = threading.Lock()
        self._hung: list[threading.Thread] = []

    def __call__(self, function: Callable[..., Result], *arguments: Any, more_seconds: float = 0.0) -> Result:
        """
        Call a function, and return what it returns. Do not call Airflow in it: it answers some of its threads only.

        :param more_seconds: further time, such as for a large body to send.
        :raises TimeoutError: it did not end in time, and goes on in its thread; or too many others do.
        """
        with self._guard:
            self._hung = [thread for thread in self._hung if thread.is_alive()]
            if len(self._hung) >= self.most_hung:
                raise TimeoutError(f"{len(self._hung)} earlier requests still hang, so this one was not sent")
        outcome: Future[Result] = Future()

        def run() -> None:
            try:
                outcome.set_result(function(*arguments))
            except BaseException as error:  # noqa: BLE001 - raised where somebody waits for it
                outcome.set_exception(error)

        # Not of a pool: Python waits at its end for the threads of pools, and this one may hang
        thread = threading.Thread(target=run, name="agari-call", daemon=True)
        thread.start()
        seconds = self.seconds + more_seconds
        try:
            return outcome.result(seconds)
        except TimeoutError:
            if outcome.done():
                return outcome.result()  # the function's own error, or it was done at the last moment
            with self._guard:
                self._hung.append(thread)
            raise TimeoutError(f"there was no whole answer within {seconds:g} s") from None
