"""
The rule that decides, poll by poll, whether a group of queues is drained: quiet window, dead letters, stalls.

Nothing here reads a queue or a clock, so a sensor that pokes and a trigger that defers follow the same rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from airflow_agari_provider.queues.depth import DepthUnknown, QueueDepth
from airflow_agari_provider.queues.drain_errors import (
    COMING_BACK,
    HANGING,
    NO_CONSUMER,
    NOT_ARRIVED,
    DeadLettersGrew,
    Stalled,
)
from airflow_agari_provider.queues.drain_figures import figures, in_words
from airflow_agari_provider.queues.flow import Flow
from airflow_agari_provider.queues.letter_count import LetterCount

CONSISTENT_AFTER = 60  # seconds; AWS: counts reach consistency at least 1 minute after the producers stop sending
SETTLED_AFTER = 120  # seconds; then a count was read several times, and is sure
CLOSER = 10  # seconds between two polls of a quiet queue whose counts have dropped to 0 before
LATE_READINGS = 6  # in a row, all empty and each after a gap, show an empty queue too


@dataclass
class DrainWatch:
    """
    Decides, poll by poll, whether a group of queues is drained. The caller reads the queues and sleeps between polls.

    It holds only values that JSON can hold: ``DrainWatch(**dataclasses.asdict(watch))`` continues where ``watch``
    stopped. Durations are seconds, points in time are seconds since 1970.

    :param queue_urls: the group; it is drained when all its queues are.
    :param dead_letter_urls: dead-letter queues whose growth is judged.
    :param poll_interval: longest pause between two polls.
    :param quiet_period: how long the visible, in-flight and delayed counts must all stay 0. If it is shorter than a
        minute, counts are taken as exact: those of a local or a test queue are.
    :param until: ``drained``; or ``arrived``: until so many messages were seen as are expected, or any.
    :param expected_messages: an empty group counts as drained only after the polls saw this many messages arrive; 0:
        no minimum.
    :param messages_before: so many messages were in the queues before, and do not count as arrived.
    :param not_before: from this point in time on, an empty group counts as drained even if fewer messages arrived.
    :param on_dead_letters: ``fail``, ``warn`` or ``ignore``.
    :param stall_timeout: how long messages may wait while none is deleted; None: no limit.
    :param visibility_timeout: the longest visibility timeout of the queues: a message may normally be in flight for
        this long.
    :param max_unknown: the wait ends after this many polls in a row without an answer.
    :param dead_letters_before: dead-letter queue URL -> messages that it held when the run began. What is missing here
        is learned from the first counts.
    :param letters_since: when the run began; only a letter sent later is surely the run's. None: unknown.
    """

    queue_urls: list[str]
    dead_letter_urls: list[str] = field(default_factory=list)
    poll_interval: float = 30
    quiet_period: float = 120
    until: str = "drained"
    expected_messages: int = 0
    messages_before: int = 0
    not_before: float | None = None
    on_dead_letters: str = "fail"
    stall_timeout: float | None = 3600
    visibility_timeout: float = 0
    max_unknown: int = 10
    dead_letters_before: dict[str, int] = field(default_factory=dict)
    letters_since: float | None = None

    # What has still to be looked up, and what was.
    queues: list[str] = field(default_factory=list)  # as they were named
    pending: dict[str, Any] | None = None
    queue_arns: list[str] = field(default_factory=list)

    # What the polls have seen so far.
    started_at: float | None = None
    polled_at: float | None = None
    quiet_since: float | None = None
    drops: bool = False  # the counts have been 0 although messages were there
    late_readings: int = 0  # in a row, each too long after the one before; all were empty
    depths: dict[str, list[int]] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    letters: dict[str, LetterCount] = field(default_factory=dict)
    dead_letters_reported: int = 0
    flow: Flow = field(default_factory=Flow)
    polls: int = 0
    unknown_polls: int = 0
    unknown_in_a_row: int = 0
    depth_start: int | None = None
    depth_peak: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.flow, dict):
            self.flow = Flow(**self.flow)
        self.letters = {
            url: LetterCount(**count) if isinstance(count, dict) else count for url, count in self.letters.items()
        }
        if not self.polls:
            self.flow.level = self.messages_before

    @classmethod
    def again(cls, stored: Mapping[str, Any]) -> DrainWatch:
        """Continue a watch that was stored as a dict, perhaps by an older version of this package."""
        names = {one.name for one in fields(cls)}
        watch = cls(**{name: value for name, value in stored.items() if name in names})
        if "arrived" in stored:  # before the flow was a thing of its own
            watch.flow = Flow(level=watch.depth.total, arrived=stored["arrived"], left=stored["left"])
        return watch

    def observe(
        self,
        depths: Mapping[str, QueueDepth],
        now: float,
        dead_letters: Mapping[str, int] | None = None,
        foreign: Callable[[str, int], tuple[int, int]] = lambda url, new: (0, 0),
    ) -> float | None:
        """
        Judge one reading of all queues.

        :param depths: depth of every queue of the group.
        :param dead_letters: number of messages in each dead-letter queue; one that is missing is unknown.
        :param foreign: takes the URL of a dead-letter queue and its number of new letters; says how many of them are
            surely not of these queues, and of how many it cannot tell.
        :return: seconds until the next poll; None when the group is drained, or the messages have arrived.
        :raises DeadLettersGrew: all counts of two minutes were above those before (a single one may be wrong).
        :raises Stalled: no message was deleted for ``stall_timeout``.
        """
        self._tick(now)
        self.unknown_in_a_row = 0
        doubtful = self._judge_dead_letters(dead_letters or {}, now, foreign)
        self.depths = {url: [depth.visible, depth.in_flight, depth.delayed] for url, depth in depths.items()}
        depth = self.depth
        self.depth_start = depth.total if self.depth_start is None else self.depth_start
        self.depth_peak = max(self.depth_peak, depth.total)
        self.drops = self.drops or bool(depth.total and self.quiet_since is not None and self.flow.level)
        missing = self.not_before is None and self.arrived < self.expected_messages
        waiting = max(depth.visible + depth.in_flight, int(missing and not depth.total))
        self.flow.observe(depth.total, waiting, depth.in_flight, now, self.settling, self.stall_timeout)
        if self.until == "arrived":
            return None if self.arrived >= max(self.expected_messages, 1) else self.poll_interval
        self._judge_progress(now, missing)
        return self._judge_quiet(now, doubtful)

    def observe_unknown(self, unknown: DepthUnknown, now: float) -> float:
        """
        Judge a poll that failed: the quiet window starts again.

        :return: seconds until the next poll.
        :raises DepthUnknown: it was the ``max_unknown``-th failed poll in a row.
        """
        self._tick(now)
        self._begin_quiet_anew()
        self.unknown_polls += 1
        self.unknown_in_a_row += 1
        if self.unknown_in_a_row >= self.max_unknown:
            raise DepthUnknown(unknown.queue_url, unknown.cause, self.unknown_in_a_row)
        return self.poll_interval

    def resume(self) -> None:
        """Continue after a time without polls: the quiet window and the stall clock start again, the rest stays."""
        self._begin_quiet_anew()
        self.flow.resume()

    @property
    def settling(self) -> float:
        """Seconds after which a count is sure; 0 for queues that count exactly."""
        return 0 if self.quiet_period < CONSISTENT_AFTER else min(self.quiet_period, SETTLED_AFTER)

    @property
    def arrived(self) -> int:
        return self.flow.arrived

    @property
    def depth(self) -> QueueDepth:
        """Depth of the whole group at the last poll."""
        return QueueDepth(*map(sum, zip(*self.depths.values(), strict=True))) if self.depths else QueueDepth(0, 0, 0)

    @property
    def dead_letter_growth(self) -> dict[str, tuple[int, int]]:
        """Dead-letter queue URL -> (messages before, messages now), if it surely has grown."""
        return {
            url: (count.before_or_last, count.before_or_last + count.growth)
            for url, count in self.letters.items()
            if count.growth
        }

    @property
    def unknown_dead_letters(self) -> dict[str, int]:
        """Dead-letter queue URL -> new letters of which nobody could tell whose they are, if there are any."""
        return {url: count.unknown for url, count in self.letters.items() if count.unknown}

    @property
    def unread_dead_letters(self) -> list[str]:
        """Dead-letter queues that the last polls could not read."""
        return [url for url, count in self.letters.items() if count.unknown_in_a_row]

    @property
    def worth_remembering(self) -> list[Any]:
        """When this changes, whoever continues the wait must know: messages that were seen, and baselines."""
        baselines = [url for url, count in self.letters.items() if count.before is not None]
        return [min(self.arrived, self.expected_messages), baselines, self.pending is None]

    def summary(self) -> dict[str, Any]:
        """Return the figures of the wait, which the sensor returns as its result."""
        return figures(self)

    def __str__(self) -> str:
        return in_words(self)

    @property
    def left(self) -> int:
        """How many messages were seen to leave, with those of the last poll, of which it is not sure yet."""
        return self.flow.left + max(self.flow.level - self.depth.total, 0)

    @property
    def seconds(self) -> float:
        return self.polled_at - self.started_at if self.polled_at is not None and self.started_at is not None else 0

    def _tick(self, now: float) -> None:
        longest = max(self.quiet_period, 2 * self.poll_interval)
        if self.polled_at is not None and now - self.polled_at > longest:
            # Zeros before and after a gap without polls do not show that the queues were empty in between.
            self.late_readings += self.quiet_since is not None
            self.quiet_since = None
            self.flow.shift(now - self.polled_at - longest)
        else:
            self.late_readings = 0
        if self.started_at is None:
            self.started_at = now
        self.polled_at = now
        self.polls += 1

    def _judge_dead_letters(
        self, counts: Mapping[str, int], now: float, foreign: Callable[[str, int], tuple[int, int]]
    ) -> bool:
        """Whether the next polls may still show new letters, so that the verdict has to wait for them."""
        for url in dict.fromkeys([*self.dead_letter_urls, *counts]):
            count = self.letters.setdefault(url, LetterCount(self.dead_letters_before.get(url)))
            if url not in counts:
                count.unknown_in_a_row += 1
                continue
            count.observe(counts[url], now, self.settling)
            if count.unjudged and self.on_dead_letters != "ignore":
                count.judge(*foreign(url, count.new))
        self.dead_letters |= counts
        if self.on_dead_letters == "ignore":
            return False
        if self.on_dead_letters == "fail" and self.dead_letter_growth:
            raise DeadLettersGrew(self.dead_letter_growth)
        return any(0 < count.unknown_in_a_row < self.max_unknown or count.doubtful for count in self.letters.values())

    def _judge_progress(self, now: float, missing: bool) -> None:
        flow, timeout = self.flow, self.stall_timeout
        if timeout is None or flow.moved_at is None or flow.unread_since is None:
            return
        unmoved, unread = now - flow.moved_at, now - flow.unread_since
        if missing and not self.depth.total:
            if unmoved >= timeout:
                raise Stalled(unmoved, self._depths_in_words(), NOT_ARRIVED)
        elif self.depth.visible + self.depth.in_flight and unread >= timeout and not flow.may_have_moved:
            raise Stalled(unread, self._depths_in_words(), NO_CONSUMER)
        elif flow.in_flight_range and unmoved >= max(timeout, self.visibility_timeout) and not flow.may_have_moved:
            cause = HANGING if flow.in_flight_seems_constant else COMING_BACK
            raise Stalled(unmoved, self._depths_in_words(), cause)

    def _depths_in_words(self) -> str:
        busy = {url: QueueDepth(*counts) for url, counts in self.depths.items() if any(counts)}
        return "; ".join(f"{url}: {depth}" for url, depth in busy.items()) or "all queues are empty"

    def _judge_quiet(self, now: float, doubtful: bool) -> float | None:
        if self.depth.total or not self._arrivals_are_complete(now):
            self._begin_quiet_anew()
            return self.poll_interval
        if self.quiet_since is None:
            self.quiet_since = now
        rest = self.quiet_since + self.quiet_period - now
        if rest > 0 and self.late_readings < LATE_READINGS:
            closer = self.drops and self.poll_interval >= 2 * CLOSER
            return min(CLOSER if closer else self.poll_interval, rest)
        return self.poll_interval if doubtful else None

    def _begin_quiet_anew(self) -> None:
        self.quiet_since = None
        self.late_readings = 0

    def _arrivals_are_complete(self, now: float) -> bool:
        if self.not_before is not None and now >= self.not_before:
            return True
        return self.arrived >= self.expected_messages if self.expected_messages else self.not_before is None
