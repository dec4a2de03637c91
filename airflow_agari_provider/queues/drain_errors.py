"""Why a wait for drained queues ended without them being drained."""

from __future__ import annotations

from airflow_agari_provider.exceptions import AgariError

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
