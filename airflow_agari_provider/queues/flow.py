"""
Whether messages move through queues whose counts lag, drop to 0 for a minute, and count a message twice.

The three counts of a queue are each up to a minute old. A message that a consumer takes is counted as visible and as in
flight for a while, or as neither. So the total rises and falls although nothing arrived and nothing was deleted.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SLOTS = 16  # of a span of time that is kept; of several polls in one slot, the extremes are kept
FORGETTING = 0.03  # weight of the newest poll in what is known of the noise: half is forgotten after 23
NOISE = 1.5  # times the usual distance between the two highest totals of two minutes: so far levels wander by chance
MOST_COUNTED = 3  # times that a message may be counted at one moment: as visible, in flight and delayed


@dataclass
class Flow:
    """
    Arrivals, departures, and when messages last surely moved. It holds only values that JSON can hold.

    A fall of the total is believed when no count of the last ``settling`` seconds was higher, which ignores drops. It
    is progress if it leads below the lowest level so far, by more than levels went up and came back without a reason.

    :param level: how many messages there are, drops left out.
    :param arrived: how many were seen to arrive.
    :param left: how many were seen to leave.
    """

    level: int = 0
    arrived: int = 0
    left: int = 0
    recent: list[list[float]] = field(default_factory=list)  # [time, highest total, highest waiting]
    moved_at: float | None = None  # the last surely deleted or arrived message
    unread_since: float | None = None  # since then no message was in flight, and none was deleted
    low: int = 0  # level at moved_at
    high: int = 0  # highest level since, without the newest ones
    newest: list[list[float]] = field(default_factory=list)  # [time, lowest, highest level]: did messages arrive?
    noise: float = 0  # by how much the total goes up and comes back, on average
    noted: int = 0  # polls that went into it
    polls: int = 0  # since moved_at
    polls_in_flight: int = 0
    in_flight_range: list[int] = field(default_factory=list)  # lowest and highest since moved_at, but for 0

    def observe(
        self, total: int, waiting: int, in_flight: int, now: float, settling: float, stall_timeout: float | None
    ) -> None:
        """
        Take the next counts of all queues together.

        :param total: all messages: visible, in flight and delayed.
        :param waiting: how many of them consumers could work on, or are still expected to arrive.
        :param settling: seconds after which a count is sure; 0: counts are exact.
        :param stall_timeout: seconds without movement that the caller bears, which is the scale of time here.
        """
        if self.recent and now - self.recent[-1][0] < settling / SLOTS:
            begin, *highest = self.recent[-1]
            self.recent[-1] = [begin, max(highest[0], total), max(highest[1], waiting)]
        else:
            self.recent = [entry for entry in self.recent if entry[0] >= now - settling] + [[now, total, waiting]]
        settled = self._highest(1, now - settling)
        if total > self.level:
            self.arrived += total - self.level
            self.level = total
        elif settled < self.level:
            self.left += self.level - settled
            self.level = settled
        if stall_timeout is not None:
            since = now - min(settling, stall_timeout / 4)
            self._note_noise([entry[1] for entry in self.recent if entry[0] >= since])
            self._judge(self._highest(1, since), self._highest(2, since), in_flight, now, stall_timeout)

    @property
    def may_have_moved(self) -> bool:
        """Whether the newest total is so low that messages may have been deleted; the next polls tell."""
        return bool(self.recent) and self.recent[-1][1] < self.low - self._margin

    @property
    def in_flight_seems_constant(self) -> bool:
        """Whether the same messages are in flight all the time, but for counts that drop to 0 or are one off."""
        low, high = self.in_flight_range
        return high - low <= 2 and self.polls_in_flight >= 0.6 * self.polls

    def shift(self, seconds: float) -> None:
        """Leave a time without polls out of the account."""
        if self.moved_at is not None and self.unread_since is not None:
            self.moved_at, self.unread_since = self.moved_at + seconds, self.unread_since + seconds

    def resume(self) -> None:
        """Begin anew with the stall clock; the level and the counts stay."""
        self.moved_at = self.unread_since = None

    @property
    def _margin(self) -> int:
        return round(self.noise)

    def _highest(self, column: int, since: float) -> int:
        return int(max(entry[column] for entry in self.recent if entry[0] >= since or entry is self.recent[-1]))

    def _judge(self, level: int, waiting: int, in_flight: int, now: float, stall_timeout: float) -> None:
        deleted = self.moved_at is None or not waiting or level < self.low - self._margin
        if deleted or level > MOST_COUNTED * (self.low + 1) or self._lasting_rise(level, now, stall_timeout / 8):
            self._moved(level, now)
        if deleted or in_flight:
            self.unread_since = now
        self.polls += 1
        if in_flight:
            self.polls_in_flight += 1
            low, high = self.in_flight_range or (in_flight, in_flight)
            self.in_flight_range = [min(low, in_flight), max(high, in_flight)]

    def _lasting_rise(self, level: int, now: float, span: float) -> bool:
        """Whether all levels of the newest span of time are higher than all before."""
        if self.newest and now - self.newest[-1][0] < span / SLOTS:
            begin, low, high = self.newest[-1]
            self.newest[-1] = [begin, min(low, level), max(high, level)]
        else:
            self.newest.append([now, level, level])
        while self.newest[0][0] <= now - span and len(self.newest) > 1:
            self.high = max(self.high, int(self.newest.pop(0)[2]))
        since = now if self.moved_at is None else self.moved_at
        return now - since >= span and min(entry[1] for entry in self.newest) > self.high + self._margin

    def _note_noise(self, totals: list[float]) -> None:
        """The two highest totals of the last polls tell it, so that one or two drops among them do not matter."""
        highest = sorted(totals)[-2:] or [0]
        spread = highest[-1] - highest[0]
        if 2 * spread <= highest[-1]:  # otherwise only one was not a drop
            self.noted += 1
            self.noise += (NOISE * spread - self.noise) * max(1 / self.noted, FORGETTING)

    def _moved(self, level: int, now: float) -> None:
        self.moved_at = now
        self.low = self.high = level
        self.newest = []
        self.polls = self.polls_in_flight = 0
        self.in_flight_range = []
