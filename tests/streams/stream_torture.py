"""
Importers of a stream that are killed, that race, and whose shards are split and merged meanwhile.

Workers are forked from a server that has everything imported, so that a kill meets work and not imports of modules.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import dataclass, field
from typing import Any

import boto3

from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.streams.kinesis import KinesisStream
from airflow_agari_provider.streams.stream_import import StreamImport
from airflow_agari_provider.streams.stream_job import StreamJob
from tests.avro_import.torture import Database
from tests.streams.producing import Producer, Registry, scored

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.streams.stream_torture", "fastavro", "psycopg", "MySQLdb"])
JOB = ImportJob("scored", "torture", create_table=True)
MOST_SHARDS = 16
READ_RECORDS = 200  # of each read, so that a kill meets the middle of a run


class SmallReads(StreamJob):
    def records_left(self, records: int) -> int:
        return READ_RECORDS


def import_stream(database: Database, endpoint: str, begun: Any, settings: dict[str, Any]) -> None:
    """A worker: one run."""
    client = boto3.client("kinesis", endpoint_url=endpoint, region_name="us-east-1")
    run = StreamImport(database.connect(), KinesisStream(client, "nrt"), None, SmallReads(JOB, **settings), Registry())
    begun.set()
    run.run()
    run.close()


@dataclass
class StreamTorture:
    """
    One table that has to hold every row of a stream exactly once after kills, races and resharding.

    :param endpoint: of the AWS.
    """

    database: Database
    kinesis: Any
    endpoint: str
    chance: random.Random
    rows: int = 0
    figures: dict[str, int] = field(default_factory=lambda: {"kills": 0, "splits": 0, "merges": 0})

    def __post_init__(self) -> None:
        """The tables, by a first record, so that they can be asked from the beginning."""
        self.producer = Producer(self.kinesis, "nrt")
        self.put(1)
        worker = self.worker()
        worker.join(120)
        assert worker.exitcode == 0

    def put(self, rows: int) -> None:
        """New records, spread over the shards."""
        self.producer.put(map(scored, range(self.rows, self.rows + rows)))
        self.rows += rows

    def reshard(self) -> None:
        """Split a shard, or merge two that are neighbours."""
        shards = [one["ShardId"] for one in self.producer.open_shards()]
        if len(shards) > 1 and (len(shards) >= MOST_SHARDS or self.chance.random() < 0.5):
            first = self.chance.randrange(len(shards) - 1)
            self.producer.merge(shards[first], shards[first + 1])
            self.figures["merges"] += 1
        else:
            self.producer.split(self.chance.choice(shards))
            self.figures["splits"] += 1

    def worker(self, **settings: Any) -> Any:
        """A worker process that has begun."""
        begun = PROCESSES.Event()
        process = PROCESSES.Process(target=import_stream, args=(self.database, self.endpoint, begun, settings))
        process.start()
        assert begun.wait(120), "the worker did not begin"
        return process

    def kill_one(self, longest: float) -> None:
        """Kill -9 a worker after a random time of at most ``longest`` seconds; the table holds only whole reads."""
        process = self.worker()
        time.sleep(self.chance.uniform(0, longest))
        self.figures["kills"] += process.is_alive()
        process.kill()
        process.join()
        self.require_whole_reads()

    def require_whole_reads(self) -> None:
        (rows,) = self.database.one("SELECT SUM(loaded_rows) FROM agari_stream_checkpoints")
        counted = self.database.one("SELECT COUNT(*), COUNT(DISTINCT message_id) FROM scored")
        assert counted == (rows, rows), f"{counted} rows in the table, {rows} by the checkpoints"

    def finish(self, importers: int, kill_first: bool = False) -> None:
        """Run this many importers at once, of which one may be killed, then one more; the table has everything once."""
        workers = [self.worker() for _ in range(importers)]
        if kill_first:
            time.sleep(self.chance.uniform(0, 0.5))
            self.figures["kills"] += workers[0].is_alive()
            workers[0].kill()
        for number, worker in enumerate(workers):
            worker.join(600)
            assert worker.exitcode == 0 or (kill_first and number == 0), f"a worker ended with {worker.exitcode}"
        last = self.worker()  # for what came with the last split of another one
        last.join(600)
        assert last.exitcode == 0
        self.require_whole_reads()
        assert self.database.one("SELECT COUNT(*) FROM scored") == (self.rows,)
