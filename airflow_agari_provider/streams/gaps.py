"""What of a stream is gone before it was loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow_agari_provider.streams.checkpoints import Checkpoint
from airflow_agari_provider.streams.kinesis import StreamFacts


@dataclass(frozen=True)
class Gap:
    """
    Records of a shard that may be gone.

    :param since: they arrived after this time; None: unknown.
    :param until: and before this time.
    :param why: how it is known, as a clause.
    """

    shard: str
    since: datetime | None
    until: datetime
    why: str

    @property
    def seconds(self) -> float | None:
        return None if self.since is None else max(0.0, (self.until - self.since).total_seconds())

    def figures(self) -> dict[str, Any]:
        since = self.since and self.since.isoformat()
        return {"shard": self.shard, "since": since, "until": self.until.isoformat(), "seconds": self.seconds}

    def __str__(self) -> str:
        begin = "since an unknown time" if self.since is None else f"from {self.since:%Y-%m-%d %H:%M:%S} UTC"
        length = "" if self.seconds is None else f" ({self.seconds / 3600:.1f} hours)"
        return f"records that arrived {begin} to {self.until:%Y-%m-%d %H:%M:%S} UTC{length} may be gone: {self.why}"


def gap(checkpoint: Checkpoint, facts: StreamFacts, listed: bool, now: datetime) -> Gap | None:
    """
    Return what may be gone after a checkpoint; None if nothing is.

    :param listed: whether the stream still has the shard.
    :param now: by the clock of Kinesis.
    """
    since, oldest = checkpoint.covered_until, now - facts.retention
    if checkpoint.stream_created_at != facts.created_at.isoformat():
        if checkpoint.ended:
            return None
        why = "the stream was deleted, and created anew under its name"
        return Gap(checkpoint.shard, since, facts.created_at, why)
    if checkpoint.ended:
        return None
    hours = facts.retention.total_seconds() / 3600
    if not listed:
        return Gap(checkpoint.shard, since, max(oldest, since or oldest), "the shard was closed, and is no longer kept")
    if since is not None and since < oldest:
        return Gap(checkpoint.shard, since, oldest, f"the stream keeps records for {hours:.0f} hours only")
    return None
