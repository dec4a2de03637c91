"""
Importers that are killed, that race, and whose messages come twice: what the torture of imports is made of.

Workers are forked from a server that has everything imported, so that a kill meets work and not imports of modules.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import random
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import boto3

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.queue_import import QueueImport
from airflow_agari_provider.databases.statements import query
from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.s3.objects import objects_at
from tests.avro.scored_messages import messages

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.avro_import.torture", "fastavro", "psycopg", "MySQLdb"])
JOB = ImportJob("scored", "torture", create_table=True)
EVERYTHING = "s3://agari/torture/"


@dataclass(frozen=True)
class Database:
    """
    :param driver: a DB-API module.
    :param where: keyword arguments of its ``connect``.
    """

    driver: str
    where: dict[str, Any]

    def connect(self) -> Any:
        return importlib.import_module(self.driver).connect(**self.where)

    def one(self, sql: str) -> tuple[Any, ...]:
        with closing(self.connect()) as connection:
            return query(connection, sql)[0]


def import_everything(database: Database, endpoint: str, queue_url: str | None, begun: Any) -> None:
    """A worker: a share of the queue, or without a queue of the whole folder."""
    s3, sqs = (boto3.client(service, endpoint_url=endpoint, region_name="us-east-1") for service in ("s3", "sqs"))
    if queue_url is None:
        with closing(Importer(database.connect(), s3, JOB)) as importer:
            begun.set()
            importer.import_objects(objects_at(s3, EVERYTHING))
        return
    share = QueueImport(sqs, queue_url, lambda: Importer(database.connect(), s3, JOB), wait_time_seconds=0)
    begun.set()
    share.run()


@dataclass
class Torture:
    """
    One table that has to hold every row exactly once after kills, races and repeated messages.

    :param endpoint: of the AWS.
    :param queue_url: a queue that hides messages for one second, less than a load may take.
    """

    database: Database
    s3: Any
    sqs: Any
    endpoint: str
    queue_url: str
    chance: random.Random
    objects: int = 0
    rows: int = 0
    sent: int = 0
    figures: dict[str, int] = field(default_factory=lambda: {"kills": 0})

    def __post_init__(self) -> None:
        """The tables, by a first object, so that they can be asked from the beginning."""
        self.put(rows=1)
        with closing(Importer(self.database.connect(), self.s3, JOB)) as importer:
            importer.import_objects(objects_at(self.s3, EVERYTHING))

    def put(self, rows: int, announce: bool = True) -> None:
        """An object of new rows, and two messages that say so."""
        key = f"torture/{self.objects:05d}.avro"
        etag = self.s3.put_object(Bucket="agari", Key=key, Body=messages(rows, first=self.rows))["ETag"].strip('"')
        self.objects += 1
        self.rows += rows
        entry = {"bucket": {"name": "agari"}, "object": {"key": key, "eTag": etag}}
        body = json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": entry}]})
        for _ in range(2 * announce):
            self.sqs.send_message(QueueUrl=self.queue_url, MessageBody=body)
            self.sent += 1

    def worker(self, queue_url: str | None) -> Any:
        """A worker process that has begun."""
        begun = PROCESSES.Event()
        process = PROCESSES.Process(target=import_everything, args=(self.database, self.endpoint, queue_url, begun))
        process.start()
        assert begun.wait(120), "the worker did not begin"
        return process

    def kill_one(self, longest: float) -> None:
        """Kill -9 a worker after a random time of at most ``longest`` seconds; the table holds only whole objects."""
        process = self.worker(self.queue_url)
        time.sleep(self.chance.uniform(0, longest))
        self.figures["kills"] += process.is_alive()
        process.kill()
        process.join()
        self.require_whole_objects()

    def loaded(self) -> tuple[int, int]:
        """Rows and objects in the table, as its ledger has them."""
        rows, objects = self.database.one("SELECT SUM(loaded_rows), COUNT(*) FROM agari_import_ledger")
        return int(rows or 0), int(objects)

    def require_whole_objects(self) -> None:
        rows, _ = self.loaded()
        counted = self.database.one("SELECT COUNT(*), COUNT(DISTINCT message_id) FROM scored")
        assert counted == (rows, rows), f"{counted} rows in the table, {rows} in the ledger"

    def finish(self, importers: int, queue_url: str | None) -> None:
        """Run this many importers at once until nothing is left; the table has everything once."""
        workers = [self.worker(queue_url) for _ in range(importers)]
        for worker in workers:
            worker.join(600)
            assert worker.exitcode == 0, f"a worker ended with {worker.exitcode}"
        self.require_whole_objects()
        assert self.loaded() == (self.rows, self.objects)
        if queue_url:
            assert read_depth(self.sqs, queue_url).total == 0
