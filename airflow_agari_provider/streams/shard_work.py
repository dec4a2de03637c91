"""Which shards an import reads, where it begins in them, and which of them is next."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from airflow_agari_provider.streams.checkpoints import Checkpoint, Checkpoints
from airflow_agari_provider.streams.kinesis import (
    AT_TIMESTAMP,
    TRIM_HORIZON,
    KinesisStream,
    Shard,
    ShardReader,
    StreamFacts,
)
from airflow_agari_provider.streams.stream_job import StreamJob

JITTER = 0.001  # seconds; several importers do not all begin with the same shard


@dataclass
class ShardWork:
    """
    What a run does with one shard.

    :param ready_at: earliest time of the next read, by the stream's clock.
    :param caught_up: as of the last read.
    :param done: this run reads no more of it.
    """

    checkpoint: Checkpoint
    ready_at: float
    reader: ShardReader | None = None
    caught_up: bool = False
    done: bool = False

    @property
    def shard(self) -> str:
        return self.checkpoint.shard


class ShardWorks:
    """
    The shards of a run.

    :param listed: all shards that the stream has, as of the last look.
    """

    def __init__(
        self, kinesis: KinesisStream, facts: StreamFacts, settings: StreamJob, checkpoints: Checkpoints
    ) -> None:
        self._kinesis, self._facts, self._settings, self._checkpoints = kinesis, facts, settings, checkpoints
        self.listed: Mapping[str, Shard] = {}
        self._works: dict[str, ShardWork] = {}
        self._known: Mapping[str, Checkpoint] = {}

    def look(self) -> None:
        """
        Look at the stream's shards and the checkpoints: there may be new ones, and other importers move them.

        :raises ClaimedMeanwhile: another importer adds the same checkpoints, in a database that does not tell it in
            time.
        :raises ValueError: the first import is to begin in the future.
        """
        self._known, self.listed = self._checkpoints.read(), self._kinesis.shards()
        if new := [shard for shard in self.listed if shard not in self._known]:
            first = self._first() if not self._known else None
            starts = {shard: first or (TRIM_HORIZON, self._covered_by_parents(shard)) for shard in new}
            self._checkpoints.add(starts, self._facts.created_at.isoformat())
            self._known = self._checkpoints.read()
        for shard, checkpoint in self._known.items():
            if not self._settings.has(shard):
                continue
            work = self._works.get(shard)
            if work is None:
                self._works[shard] = ShardWork(checkpoint, self._kinesis.clock() + random.random() * JITTER)  # noqa: S311
            elif work.checkpoint.version != checkpoint.version:
                work.checkpoint, work.reader = checkpoint, None

    def _first(self) -> tuple[str, datetime | None]:
        """Where a table's first import of a stream begins."""
        start = self._settings.start
        if start == "TRIM_HORIZON":
            return TRIM_HORIZON, None
        if isinstance(start, datetime) and start > self._kinesis.now:
            raise ValueError(f"start={start} is in the future. Give an earlier time, or LATEST.")
        moment = start if isinstance(start, datetime) else self._kinesis.now - timedelta(seconds=1)
        return f"{AT_TIMESTAMP} {moment.isoformat()}", moment

    def _covered_by_parents(self, shard: str) -> datetime | None:
        """Until when a new shard surely had no record: it comes after its parents."""
        known = [self._known[one].covered_until for one in self.listed[shard].parents if one in self._known]
        return min((one for one in known if one), default=None)

    def __iter__(self) -> Iterator[ShardWork]:
        return iter(list(self._works.values()))

    def next(self) -> ShardWork | None:
        """Return the shard to read next; None if there is none, or if all others wait for their parents."""
        ready = (one for one in self._works.values() if self._is_open(one))
        return min(ready, key=lambda one: one.ready_at, default=None)

    def _is_open(self, work: ShardWork) -> bool:
        shard = self.listed.get(work.shard)
        if work.done or work.checkpoint.ended or shard is None:
            return False
        return all(self._ended(parent) for parent in shard.parents)

    def _ended(self, shard: str) -> bool:
        """Whether all of a shard is loaded; one that was never seen has no record any more."""
        work, known = self._works.get(shard), self._known.get(shard)
        checkpoint = work.checkpoint if work else known
        return checkpoint is None or checkpoint.ended

    @property
    def caught_up(self) -> bool:
        """Whether nothing was left in any of the shards."""
        return all(one.caught_up or one.checkpoint.ended for one in self._works.values())
