"""How far the work on the letters of a queue is, as a line in the log now and then."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

logger = logging.getLogger(__name__)

EVERY = 10.0  # seconds between two lines


@dataclass
class LetterProgress:
    """
    Tells how many letters are done, at most every ten seconds.

    :param what: what is done with them, such as ``Archived``.
    :param place: URL of the queue or the archive that they come from.
    :param total: about how many there are; 0: unknown.
    :param clock: tells seconds.
    """

    what: str
    place: str
    total: int = 0
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _told: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self._told = self.clock()

    def tell(self, done: int) -> None:
        """Log the progress if the last line is old enough."""
        now = self.clock()
        if now - self._told < EVERY:
            return
        self._told = now
        rate = done / max(now - self._began, 1e-3)
        left = max(self.total - done, 0)
        rest = f" of about {self.total}" if self.total else ""
        when = f", about {left / rate:.0f} s to go" if left and rate else ""
        logger.info("%s %s%s dead letter(s) of %s: %.1f/s%s", self.what, done, rest, self.place, rate, when)
