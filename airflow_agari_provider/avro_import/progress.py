"""How far an import is: a line in the log every few seconds, and one at the end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

MB = 1_000_000  # bytes


class ImportProgress:
    """
    Figures of an import that goes from object to object.

    :param interval: seconds between two lines.
    :param clock: returns seconds.
    """

    def __init__(self, interval: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval
        self._clock = clock
        self._began = self._logged = clock()
        self._expected: tuple[int, int] | None = None
        self._objects = self._rows = self._bytes = self._passed_over_bytes = 0
        self._rows_now = self._bytes_now = 0  # of the current object, which may have to begin again

    def expect(self, objects: int, size_bytes: int) -> None:
        """Set how much there is to do, where that is known beforehand."""
        self._expected = objects, size_bytes

    def begin(self) -> None:
        """Begin an object, or the same one again."""
        self._rows_now = self._bytes_now = 0

    def advance(self, rows: int, position: int) -> None:
        """
        Count more rows of the current object.

        :param rows: how many more.
        :param position: the byte up to which the object was read.
        """
        self._rows_now += rows
        self._bytes_now = position
        self._log()

    def _log(self) -> None:
        now = self._clock()
        if now - self._logged >= self._interval:
            self._logged = now
            logger.info("%s", self.line())

    def finish(self, rows: int, size_bytes: int, passed_over: bool = False) -> None:
        """End the current object; ``passed_over``: it was skipped without being read."""
        self.begin()
        self._objects += 1
        self._rows += rows
        self._bytes += size_bytes
        self._passed_over_bytes += size_bytes * passed_over
        self._log()

    def restart(self) -> None:
        """Start again from zero: all objects so far will be loaded again."""
        self.begin()
        self._objects = self._rows = self._bytes = self._passed_over_bytes = 0

    def line(self) -> str:
        """Return objects, rows, megabytes and rows per second; the totals and the time left, where they are known."""
        seconds = max(self._clock() - self._began, 0.001)
        rows, done = self._rows + self._rows_now, self._bytes + self._bytes_now
        objects, megabytes, left = f"{self._objects}", f"{done / MB:.1f}", ""
        if self._expected:
            objects, megabytes = f"{objects} of {self._expected[0]}", f"{megabytes} of {self._expected[1] / MB:.1f}"
            if read := done - self._passed_over_bytes:
                left = f", {max(0, self._expected[1] - done) * seconds / read:.0f} s left"
        return f"{objects} objects, {rows} rows, {megabytes} MB, {rows / seconds:.0f} rows/s{left}"
