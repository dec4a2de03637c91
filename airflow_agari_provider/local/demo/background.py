"""Work beside the demo's own, which does not keep it from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

Result = TypeVar("Result")


def in_background(work: Callable[[], Result]) -> Future[Result]:
    """Do the work in a thread that ends with the process, so that Ctrl-C does not wait for it."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - for the thread that asks for the result
            future.set_exception(error)

    threading.Thread(target=run, daemon=True, name=work.__name__).start()
    return future
