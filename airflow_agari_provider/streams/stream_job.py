"""The settings of an import of a stream, and whether they fit together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from math import inf
from typing import Any, Literal, get_args

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.exceptions import require_one_of
from airflow_agari_provider.streams.kinesis import MOST_RECORDS

OnExpired = Literal["fail", "continue"]
OnBadRecord = Literal["fail", "quarantine"]
MODES = ("append", "upsert")


@dataclass(frozen=True)
class StreamJob:
    """
    What to read of a stream.

    :param job: what to do with the rows; ``on_bad_block`` and ``max_bad_blocks`` are about records here.
    :param start: where a table's first import of the stream begins: ``TRIM_HORIZON``: at the oldest record; ``LATEST``:
        at what arrives from now on; or a time with a zone.
    :param until: ``latest``: to the newest record at the start; or go on for so many seconds.
    :param on_expired: what to do if records after a checkpoint are no longer in the stream: ``fail``; or ``continue``
        with the oldest that there are.
    :param max_records: stop after so many; None: no limit. The same for ``max_bytes`` and ``max_seconds``.
    :param share: of ``shares`` importers, each of which reads its own shards, the number of this one, from 0.
    :raises ValueError: the arguments do not fit together.
    """

    job: ImportJob
    start: Literal["TRIM_HORIZON", "LATEST"] | datetime = "TRIM_HORIZON"
    until: Literal["latest"] | float = "latest"
    on_expired: OnExpired = "fail"
    max_records: int | None = None
    max_bytes: int | None = None
    max_seconds: float | None = None
    share: int = 0
    shares: int = 1

    def __post_init__(self) -> None:
        require_one_of("mode", self.job.mode, MODES)
        require_one_of("on_expired", self.on_expired, get_args(OnExpired))
        require_times(self.start, self.until)
        if not 0 <= self.share < self.shares:
            raise ValueError(f"share={self.share} is not one of shares={self.shares}: they are counted from 0.")
        for name in ("max_records", "max_bytes", "max_seconds"):
            if (limit := getattr(self, name)) is not None and limit <= 0:
                raise ValueError(f"{name}={limit} would read nothing; give more than 0, or None for no limit.")

    def has(self, shard: str) -> bool:
        """Whether a shard is one of this importer's own."""
        return int.from_bytes(sha256(shard.encode()).digest()[:8], "big") % self.shares == self.share

    def records_left(self, records: int) -> int:
        """Return how many records the next read may bring."""
        return MOST_RECORDS if self.max_records is None else max(0, min(MOST_RECORDS, self.max_records - records))


def require_times(start: object, until: object) -> None:
    """:raises ValueError: ``start`` or ``until`` has another value than it may have."""
    if isinstance(start, datetime):
        if start.tzinfo is None:
            raise ValueError(f"start={start} has no zone: give an aware datetime, or ISO text with a zone.")
    else:
        require_one_of("start", start, ("TRIM_HORIZON", "LATEST", "a time with a zone"))
    if until != "latest" and not (isinstance(until, int | float) and 0 < until < inf):
        raise ValueError(f"until={until!r} is neither 'latest' nor a number of seconds above 0.")


def start_of(start: Any) -> Any:
    """
    Return ``start`` of a job from what a user gave, or a template became.

    :raises ValueError: it is a text that is neither a choice nor a time.
    """
    if not isinstance(start, str) or start in ("TRIM_HORIZON", "LATEST"):
        return start
    try:
        return datetime.fromisoformat(start)
    except ValueError:
        raise ValueError(f"start={start!r} is neither TRIM_HORIZON nor LATEST nor a time in ISO format.") from None


def until_of(until: Any) -> Any:
    """Return ``until`` of a job from what a user gave, or a template became."""
    try:
        return until if until == "latest" else float(until)
    except (TypeError, ValueError):
        return until  # which the job refuses
