"""
A queue whose truth is known, and its counts as SQS shows them: each with a lag of its own, sometimes 0 or one off.

The classes of noise. *lag*: each count is up to 60 s old, by a lag that is drawn anew every 5 to 60 s. Besides that,
*rare*: all counts are 0 together for up to 60 s every 30 minutes; *single*: each count by itself is 0 for up to 60 s
every 3 minutes; *worst*: all together every 3 minutes.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass
from random import Random

NOISES = ("lag", "rare", "single", "worst")
LAG = 60  # seconds
EVERY = {"rare": 1800, "single": 180, "worst": 180}  # seconds between two drops to 0
EXACT_BELOW = 20  # messages; larger counts may be one off
SPAN = 6 * 3600  # seconds that are simulated at most


@dataclass(frozen=True)
class Truth:
    """
    What really is in the queue.

    :param changes: (time, visible, in flight, delayed), from that time on.
    :param ends: when the last message was deleted; None: never.
    """

    changes: list[tuple[float, int, int, int]]
    ends: float | None


class ReadCount:
    """One count of a queue, as SQS shows it."""

    def __init__(
        self, random: Random, noise: str, column: int, changes: list, drops: float, jitter: bool = False
    ) -> None:
        """``drops`` seeds the drops to 0: the counts of one queue have one, but where each drops by itself."""
        self._random, self._column, self._jitter = random, column, jitter
        self._times = [change[0] for change in changes]
        self._changes = changes
        self._lag, self._lag_until = 0.0, float("-inf")
        chance = Random(drops + (column if noise == "single" else 0))
        every = EVERY.get(noise, 0)
        begin = chance.uniform(-every, 0) if every else SPAN
        self._drops = []
        while begin < SPAN:
            self._drops.append((begin, begin + chance.uniform(0, 60)))
            begin += every

    def read(self, now: float) -> int:
        if now >= self._lag_until:
            self._lag, self._lag_until = self._random.uniform(0, LAG), now + self._random.uniform(5, 60)
        at = bisect_right(self._drops, (now, float("inf"))) - 1
        if at >= 0 and now < self._drops[at][1]:
            return 0
        count = int(self._changes[max(bisect_right(self._times, now - self._lag) - 1, 0)][self._column])
        return count + self._random.randint(-1, 1) if self._jitter and count >= EXACT_BELOW else count


class Consumers:
    """
    Consumers of one queue: each receives, works, and deletes; or it dies, and the message comes back after its lease.

    :param works: seconds that a message takes.
    :param poison: how many of the messages fail each time.
    """

    def __init__(self, random: Random, consumers: int, lease: float, work: float, poison: int = 0) -> None:
        self.random, self.idle, self.lease, self.work, self.poison = random, consumers, lease, work, poison
        self.events: list[tuple[float, int, str, int]] = []
        self.waiting: list[int] = []
        self.counts = [0, 0, 0]
        self.changes: list[tuple[float, int, int, int]] = []
        self._number = 0

    def at(self, time: float, what: str, message: int) -> None:
        self._number += 1
        heapq.heappush(self.events, (time, self._number, what, message))

    def send(self, message: int, time: float, delay: float) -> None:
        self.at(time, "delayed" if delay else "visible", message)
        if delay:
            self.at(time + delay, "due", message)

    def run(self, until: float = SPAN) -> Truth:
        ends = None
        while self.events and self.events[0][0] < until:
            time, _, what, message = heapq.heappop(self.events)
            visible, in_flight, delayed = self.counts
            if what == "delayed":
                delayed += 1
            elif what in ("visible", "due", "back"):
                delayed -= what == "due"
                in_flight -= what == "back"
                visible += 1
                self.waiting.append(message)
            elif what == "free":
                self.idle += 1
            else:  # deleted
                in_flight -= 1
            while self.waiting and self.idle:
                taken = self.waiting.pop(0)
                self.idle -= 1
                visible, in_flight = visible - 1, in_flight + 1
                self._work(taken, time)
            self.counts = [visible, in_flight, delayed]
            self.changes.append((time, visible, in_flight, delayed))
            if not sum(self.counts):
                ends = time
        return Truth([(float("-inf"), 0, 0, 0), *self.changes], None if sum(self.counts) else ends)

    def _work(self, message: int, time: float) -> None:
        work = min(self.random.expovariate(1 / self.work), 0.95 * self.lease)
        died = self.random.random() < 0.05
        if message < self.poison or died:
            self.at(time + (work if not died else self.random.uniform(0, work)), "free", message)
            self.at(time + self.lease, "back", message)
        else:
            self.at(time + work, "deleted", message)
            self.at(time + work, "free", message)


def consumed(random: Random) -> Truth:
    """1 to 150 messages, sent in the minute before the wait begins; 1 to 8 consumers."""
    queue = Consumers(random, random.randint(1, 8), random.uniform(30, 300), random.uniform(1, 60))
    for message in range(random.randint(1, 150)):
        queue.send(message, random.uniform(-60, 0), 45 if random.random() < 0.1 else 0)
    return queue.run()


def rising(random: Random) -> Truth:
    """A producer that is faster than the consumers for an hour and a half, while they work."""
    consumers, work = random.randint(1, 8), random.uniform(0.5, 30)
    queue = Consumers(random, consumers, random.uniform(60, 300), work)
    every = work / consumers / random.uniform(1.2, 3)
    time, message = -60.0, 0
    while time < 5400 and message < 20000:
        queue.send(message, time, 0)
        time += random.expovariate(1 / every)
        message += 1
    return queue.run()


def slow(random: Random) -> Truth:
    """A few messages that each take up to 45 minutes, by consumers that extend their leases."""
    queue = Consumers(random, random.randint(1, 3), 1e6, 1)
    queue.work = 900
    for message in range(random.randint(1, 6)):
        queue.send(message, random.uniform(-60, 0), 0)
    queue._work = lambda message, time: [  # type: ignore[method-assign]
        queue.at(time + work, what, message) for work in [random.uniform(60, 2700)] for what in ("deleted", "free")
    ]
    return queue.run()


def stuck(random: Random) -> Truth:
    """A poison loop: some messages fail each time, and nothing takes them out of the queue."""
    queue = Consumers(random, random.randint(1, 8), random.uniform(30, 300), random.uniform(1, 60))
    number = random.randint(1, 150)
    queue.poison = number
    for message in range(number):
        queue.send(message, random.uniform(-60, 0), 0)
    return queue.run(3 * 3600)


def unread(random: Random) -> Truth:
    """Nobody reads."""
    queue = Consumers(random, 0, 30, 1)
    for message in range(random.choice([random.randint(1, 150), 1000])):
        queue.send(message, random.uniform(-60, 0), 0)
    return queue.run()
