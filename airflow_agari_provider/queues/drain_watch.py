"""
The rule that decides, poll by poll, whether a group of queues is drained: quiet window, dead letters, stalls.

Nothing here reads a queue or a clock, so a sensor that pokes and a trigger that defers follow the same rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.depth import DepthUnknown, QueueDepth

NO_CONSUMER = (
    "no consumer reads: messages are visible and none is in flight. "
    "Start the consumers, or configure them to read this queue."
)
HANGING = (
    "the number of messages in flight did not change: the consumers hang, or extend their leases again and again. "
    "Look at the consumers' logs; raise stall_timeout if one message takes that long."
)
COMING_BACK = (
    "messages are received and come back, but none is deleted: the consumers fail on them or die. "
    "Look at the consumers' logs, and give the queue a redrive policy, which ends such a loop."
)
NOT_ARRIVED = (
    "the polls saw fewer messages arrive than expected_messages: the producer sent fewer, or the consumers were faster "
    "than the polls. Check what was sent; give not_before to accept an empty queue from that time on."
)


class DrainFailed(AgariError):
    """The wait ended, but the queues are not drained; the text says why."""


class Stalled(DrainFailed):
    """
    The queues hold messages, or expect some, but no message was deleted for too long.

    :param seconds: for how long.
    :param depths: depth of each queue that is not empty, as text.
    :param cause: why, as far as the counts tell, and what to do.
    """

    def __init__(self, seconds: float, depths: str, cause: str) -> None:
        super().__init__(seconds, depths, cause)
        self.seconds, self.depths, self.cause = seconds, depths, cause

    def __str__(self) -> str:
        return f"No progress for {self.seconds:.0f} s ({self.depths}): {self.cause}"


class DeadLettersGrew(DrainFailed):
    """
    Messages became dead letters since the run began.

    :param growth: dead-letter queue URL -> (messages before, messages now).
    :param sample: one of the messages as text; None if it could not be read.
    """

    def __init__(self, growth: dict[str, tuple[int, int]], sample: str | None = None) -> None:
        super().__init__(growth, sample)
        self.growth, self.sample = growth, sample

    def __str__(self) -> str:
        queues = "; ".join(f"{url} grew from {before} to {now}" for url, (before, now) in self.growth.items())
        sample = f" One of them: {self.sample}." if self.sample else ""
        return (
            f"Dead-letter queue {queues} message(s): the consumers failed to process them, so their data is missing."
            f"{sample} Fix the cause, redrive the queue (or archive and purge it), then clear this task; "
            "on_dead_letters='warn' lets such a run pass."
        )


@dataclass
class DrainWatch:
    """
    Decides, poll by poll, whether a group of queues is drained. The caller reads the queues and sleeps between polls.

    It holds only values that JSON can hold: ``DrainWatch(**dataclasses.asdict(watch))`` continues where ``watch``
    stopped. Durations are seconds, points in time are seconds since 1970.

    :param queue_urls: the group; it is drained when all its queues are.
    :param dead_letter_urls: dead-letter queues whose growth is judged.
    :param poll_interval: longest pause between two polls.
    :param quiet_period: how long the visible, in-flight and delayed counts must all stay 0.
    :param expected_messages: an empty group counts as drained only after the polls saw this many messages arrive; 0:
        no minimum.
    :param not_before: from this point in time on, an empty group counts as drained even if fewer messages arrived.
    :param on_dead_letters: ``fail``, ``warn`` or ``ignore``.
    :param stall_timeout: how long messages may wait while none is deleted; None: no limit.
    :param visibility_timeout: the longest visibility timeout of the queues: a message may normally be in flight for
        this long.
    :param max_unknown: the wait ends after this many polls in a row without an answer.
    :param dead_letters_before: dead-letter queue URL -> messages that it held when the run began. For a URL that is
        missing here, the first poll's count is used.
    """

    queue_urls: list[str]
    dead_letter_urls: list[str] = field(default_factory=list)
    poll_interval: float = 30
    quiet_period: float = 120
    expected_messages: int = 0
    not_before: float | None = None
    on_dead_letters: str = "fail"
    stall_timeout: float | None = 3600
    visibility_timeout: float = 0
    max_unknown: int = 10
    dead_letters_before: dict[str, int] = field(default_factory=dict)

    # What the polls have seen so far.
    started_at: float | None = None
    polled_at: float | None = None
    quiet_since: float | None = None
    progress_at: float | None = None
    in_flight_range: list[int] = field(default_factory=list)  # lowest and highest since progress_at
    depths: dict[str, list[int]] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    dead_letters_confirmed: dict[str, int] = field(default_factory=dict)
    dead_letters_reported: int = 0
    polls: int = 0
    unknown_polls: int = 0
    unknown_in_a_row: int = 0
    depth_start: int | None = None
    depth_peak: int = 0
    arrived: int = 0
    left: int = 0

    def observe(
        self, depths: Mapping[str, QueueDepth], now: float, dead_letters: Mapping[str, int] | None = None
    ) -> float | None:
        """
        Judge one reading of all queues.

        :param depths: depth of every queue of the group.
        :param dead_letters: number of messages in each dead-letter queue.
        :return: seconds until the next poll; None when the group is drained.
        :raises DeadLettersGrew: two readings in a row were above the baseline (a single one may be an approximation).
        :raises Stalled: no message was deleted for ``stall_timeout``.
        """
        self._tick(now)
        self.unknown_in_a_row = 0
        doubtful = self._judge_dead_letters(dead_letters or {})
        left_before = self.left
        self._count_messages(depths)
        self._judge_progress(now, fell=self.left > left_before)
        return self._judge_quiet(now, doubtful)

    def observe_unknown(self, unknown: DepthUnknown, now: float) -> float:
        """
        Judge a poll that failed: the quiet window starts again.

        :return: seconds until the next poll.
        :raises DepthUnknown: it was the ``max_unknown``-th failed poll in a row.
        """
        self._tick(now)
        self.quiet_since = None
        self.unknown_polls += 1
        self.unknown_in_a_row += 1
        if self.unknown_in_a_row >= self.max_unknown:
            raise DepthUnknown(unknown.queue_url, unknown.cause, self.unknown_in_a_row)
        return self.poll_interval

    def resume(self) -> None:
        """Continue after a time without polls: the quiet window and the stall clock start again, the rest stays."""
        self.quiet_since = None
        self.progress_at = None

    @property
    def depth(self) -> QueueDepth:
        """Depth of the whole group at the last poll."""
        return QueueDepth(*map(sum, zip(*self.depths.values(), strict=True))) if self.depths else QueueDepth(0, 0, 0)

    @property
    def dead_letter_growth(self) -> dict[str, tuple[int, int]]:
        """Dead-letter queue URL -> (messages before, messages now), if two readings in a row showed its growth."""
        pairs = {url: (self.dead_letters_before[url], now) for url, now in self.dead_letters_confirmed.items()}
        return {url: pair for url, pair in pairs.items() if pair[1] > pair[0]}

    def summary(self) -> dict[str, Any]:
        """Return the figures of the wait, which the sensor returns as its result."""
        seconds = self._seconds()
        return {
            "seconds": round(seconds, 1),
            "polls": self.polls,
            "unknown_polls": self.unknown_polls,
            "depth_start": self.depth_start,
            "depth_peak": self.depth_peak,
            "depth_end": self.depth.total,
            "messages_seen": self.arrived,
            "messages_per_second": round(self.left / seconds, 3) if seconds else None,
            "dead_letters_before": dict(self.dead_letters_before),
            "dead_letters_after": dict(self.dead_letters),
            "new_dead_letters": sum(now - before for before, now in self.dead_letter_growth.values()),
        }

    def __str__(self) -> str:
        words = [str(self.depth) if len(self.depths) < 2 else f"{self.depth} in {len(self.depths)} queues"]
        if self.quiet_since is not None and self.polled_at is not None:
            words.append(f"empty for {self.polled_at - self.quiet_since:.0f} of {self.quiet_period:.0f} s")
        elif self.depth.total == 0:
            words.append(f"{self.arrived} of {self.expected_messages} expected message(s) seen")
        elif self.left:
            rate = self.left / max(self._seconds(), 1)
            words.append(f"{rate:.2f} messages/s leave, about {self.depth.total / rate:.0f} s to go")
        if self.unknown_polls:
            words.append(f"{self.unknown_polls} poll(s) unanswered")
        words += [f"dead letters {before} -> {now}" for before, now in self.dead_letter_growth.values()]
        return "; ".join(words)

    def _seconds(self) -> float:
        return self.polled_at - self.started_at if self.polled_at is not None and self.started_at is not None else 0

    def _tick(self, now: float) -> None:
        # After a gap without polls, zeros before and after it do not show that the queues were empty in between.
        if self.polled_at is not None and now - self.polled_at > max(self.quiet_period, 2 * self.poll_interval):
            self.resume()
        if self.started_at is None:
            self.started_at = now
        self.polled_at = now
        self.polls += 1

    def _judge_dead_letters(self, counts: Mapping[str, int]) -> bool:
        """
        Whether a growth still needs the next poll to confirm it.

        The counts are approximate, so a single reading may be wrong.
        """
        for url, now in counts.items():
            before = self.dead_letters_before.setdefault(url, now)
            last = self.dead_letters.get(url, before)
            self.dead_letters_before[url] = min(before, max(last, now))  # lower after a purge or a redrive
            self.dead_letters_confirmed[url] = min(last, now)
        self.dead_letters = dict(counts)
        if self.on_dead_letters == "ignore":
            return False
        if self.on_dead_letters == "fail" and self.dead_letter_growth:
            raise DeadLettersGrew(self.dead_letter_growth)
        return any(
            now > self.dead_letters_before[url] >= self.dead_letters_confirmed[url] for url, now in counts.items()
        )

    def _count_messages(self, depths: Mapping[str, QueueDepth]) -> None:
        for url, depth in depths.items():
            rise = depth.total - sum(self.depths.get(url, ()))
            self.arrived += max(rise, 0)
            self.left += max(-rise, 0)
            self.depths[url] = [depth.visible, depth.in_flight, depth.delayed]
        self.depth_start = self.depth.total if self.depth_start is None else self.depth_start
        self.depth_peak = max(self.depth_peak, self.depth.total)

    def _judge_progress(self, now: float, fell: bool) -> None:
        depth = self.depth
        missing = depth.total == 0 and self.not_before is None and self.arrived < self.expected_messages
        waiting = depth.visible + depth.in_flight > 0 or missing
        if fell or not waiting or self.progress_at is None:
            self.progress_at = now
            self.in_flight_range = [depth.in_flight, depth.in_flight]
            return
        low, high = min(self.in_flight_range[0], depth.in_flight), max(self.in_flight_range[1], depth.in_flight)
        self.in_flight_range = [low, high]
        if self.stall_timeout is None or now - self.progress_at < self._patience(high):
            return
        cause = NOT_ARRIVED if missing else NO_CONSUMER if not high else HANGING if low == high else COMING_BACK
        raise Stalled(now - self.progress_at, self._depths_in_words(), cause)

    def _patience(self, in_flight: int) -> float:
        stall_timeout = self.stall_timeout or 0
        return max(stall_timeout, self.visibility_timeout) if in_flight else stall_timeout

    def _depths_in_words(self) -> str:
        busy = {url: QueueDepth(*counts) for url, counts in self.depths.items() if any(counts)}
        return "; ".join(f"{url}: {depth}" for url, depth in busy.items()) or "all queues are empty"

    def _judge_quiet(self, now: float, doubtful: bool) -> float | None:
        if self.depth.total or not self._arrivals_are_complete(now):
            self.quiet_since = None
            return self.poll_interval
        if self.quiet_since is None:
            self.quiet_since = now
        rest = self.quiet_since + self.quiet_period - now
        if rest > 0:
            return min(self.poll_interval, rest)
        return self.poll_interval if doubtful else None

    def _arrivals_are_complete(self, now: float) -> bool:
        if self.not_before is not None and now >= self.not_before:
            return True
        return self.arrived >= self.expected_messages if self.expected_messages else self.not_before is None
