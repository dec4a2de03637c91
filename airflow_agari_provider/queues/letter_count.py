"""
How many letters a dead-letter queue surely has more than when the run began, from counts of which each may be wrong.

A count of SQS can be 0 for a minute while the queue holds thousands of messages. So neither what a queue had at the
beginning nor what it has now is taken from a single count.
"""

from __future__ import annotations

from dataclasses import dataclass, field

MOST_LOOKS = 5  # at a shared queue, of which other readers hold letters or which is too large to see all of them
FLAPPING_FROM = 10  # letters; a count of so many may be one off for a moment, a smaller one is exact


@dataclass
class LetterCount:
    """
    The counts of one dead-letter queue. It holds only values that JSON can hold.

    :param before: how many letters the queue had when the run began; None: to be learned from the first counts.
    :param readings: times and counts of the last seconds, the oldest first.
    """

    before: int | None = None
    readings: list[list[float]] = field(default_factory=list)
    first_at: float | None = None
    first: int = 0  # highest count while ``before`` is not known
    first_lowest: int = 0
    unsure: bool = False  # the first counts rose: some of the letters may have been new then, or a count was wrong
    flapped_at: float | None = None
    settled: int = 0  # the queue surely has so many
    own: int = 0  # new letters of which it is known that they are of the watched queues
    unknown: int = 0  # new letters of which it is not known whose they are
    looks: int = 0  # that did not tell it
    unknown_in_a_row: int = 0

    def observe(self, count: int, now: float, settling: float) -> None:
        """
        Take the next count.

        :param settling: seconds after which a count is sure; 0: counts are exact, and two in a row are enough.
        """
        self.unknown_in_a_row = 0
        if not settling:
            self._observe_exact(count, now)
            return
        if self.before is None:
            self._learn(count, now, settling)
        self._unlearn_flapping(count, now, settling)
        self.readings = [*self._last(now - settling), [now, count]]
        counts = [int(read) for _, read in self.readings]
        if len(counts) < 3 or self.readings[0][0] > now - settling:
            return
        self.settled = min(counts)
        self._forget_gone(max(counts))
        flapping = 2 if self.before is not None and self.before >= FLAPPING_FROM else 0
        if self.before is not None and max(counts) < self.before - flapping:
            self.before = max(counts)  # after a purge or a redrive

    @property
    def before_or_last(self) -> int:
        """What the queue had before; as long as that is not sure, the highest count."""
        return self.first if self.before is None else self.before

    @property
    def last(self) -> int | None:
        return int(self.readings[-1][1]) if self.readings else None

    @property
    def new(self) -> int:
        """How many letters surely are new, whosever they are."""
        return 0 if self.before is None else max(self.settled - self.before, 0)

    @property
    def growth(self) -> int:
        """How many letters surely are new, and not known to be of other queues."""
        return max(self.new - self.unknown, 0)

    @property
    def doubtful(self) -> bool:
        """Whether further counts, or another look, may show that there are new letters."""
        if self.before is None:
            return bool(self.readings)
        if self.unknown and self.looks < MOST_LOOKS:
            return True
        return not self.growth and self.last is not None and self.last > self.before + self.unknown

    @property
    def unjudged(self) -> bool:
        """Whether there are new letters of which it is worth a look whose they are."""
        return self.new > self.own + (self.unknown if self.looks >= MOST_LOOKS else 0)

    def tell_new(self, letters: int) -> None:
        """End being unsure: so many of the letters that were there at first are new."""
        self.unsure = False
        if letters:
            self.before = max(self.first - letters, self.first_lowest)

    def judge(self, foreign: int, unknown: int) -> None:
        """
        Take what a look at the new letters has told.

        :param foreign: so many are of other queues: they count as if they had been there before.
        :param unknown: of so many it is not known; they do not count as new as long as further looks may tell.
        """
        self.before = (self.before or 0) + foreign
        self.unknown, self.looks = unknown, self.looks + 1 if unknown else 0
        self.own = self.growth

    def _forget_gone(self, highest: int) -> None:
        """After a purge or a redrive, what was known of the letters that are gone says nothing about later ones."""
        if highest < (self.before or 0) + self.own + self.unknown:
            self.own = self.unknown = self.looks = 0

    def _observe_exact(self, count: int, now: float) -> None:
        last = self.last
        if self.before is None:
            self.before = self.first = self.first_lowest = count
        previous = min(self.before, count) if last is None else last
        self._forget_gone(max(previous, count))
        self.before = min(self.before, max(previous, count))
        self.settled = min(previous, count)
        self.readings = [[now, count]]

    def _learn(self, count: int, now: float, settling: float) -> None:
        if self.first_at is None:
            self.first_at, self.first, self.first_lowest = now, count, count
        if now - self.first_at <= settling:
            self.first, self.first_lowest = max(self.first, count), min(self.first_lowest, count)
        if now - self.first_at >= settling:
            flaps = self.first >= FLAPPING_FROM and 0 < self.first - self.first_lowest <= 2
            self.before, self.first_at = self.first_lowest + 2 if flaps else self.first, None
            self.unsure = self.first_lowest < self.first

    def _unlearn_flapping(self, count: int, now: float, settling: float) -> None:
        """
        A count that was one higher and is back again, twice, was noise: do not take it for a new letter next time.

        Once may be a new letter: a count's age changes, so that it may show an older moment than the count before.
        """
        before = self.before
        if before is None or before < FLAPPING_FROM or self.last != before + 1 or not before - 1 <= count <= before:
            return
        if self.flapped_at is None or now - self.flapped_at < settling:
            self.flapped_at = now if self.flapped_at is None else self.flapped_at
            return
        self.before, self.flapped_at = before + 1, None

    def _last(self, since: float) -> list[list[float]]:
        """The readings since then and the one before them, and at least two if there are two."""
        newer = [reading for reading in self.readings if reading[0] > since]
        older = [reading for reading in self.readings if reading[0] <= since]
        return older[-max(1, 2 - len(newer)) :] + newer
