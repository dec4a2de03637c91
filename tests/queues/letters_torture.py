"""Purges and redrives of many letters that are killed again and again, and the account of every letter after it."""

from __future__ import annotations

import collections
import json
import multiprocessing
import os
import random
import signal
import time
from dataclasses import dataclass, field
from typing import Any

import boto3

from airflow_agari_provider.queues import dead_letter_archive, deliveries, redrive
from airflow_agari_provider.queues.archived_letters import redrive_archive
from airflow_agari_provider.queues.depth import read_depth
from airflow_agari_provider.queues.letter_formats import FORMATS, format_of

REGION = "us-east-1"
HIDDEN = 1  # seconds that the letters of a killed process stay hidden; 120 outside of tests
PAUSE = 0.2  # seconds between two looks for them; 5 outside of tests
ALL = 10**9
ARCHIVE = "s3://agari/dead"


def work(what: str, endpoint: str, dead: str, target: str, dies_at: int | None) -> None:
    """Purge or redrive; at a number of requests, the process kills itself with SIGKILL before or after that request."""
    dead_letter_archive.HIDDEN = redrive.HIDDEN = HIDDEN
    deliveries.PAUSE = PAUSE
    credentials = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    sqs, s3 = (boto3.client(name, endpoint_url=endpoint, region_name=REGION, **credentials) for name in ("sqs", "s3"))
    requests = 0

    def count(**_: Any) -> None:
        nonlocal requests
        requests += 1
        if requests == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    for client in (sqs, s3):
        client.meta.events.register("before-call", count)
        client.meta.events.register("after-call", count)
    if what.startswith("purge"):
        form = FORMATS["avro" if what == "purge as Avro" else "jsonl"]
        dead_letter_archive.Archive(sqs, s3, dead, ARCHIVE, format=form).take_up_to(ALL)
    elif what == "redrive":
        redrive.Redrive(sqs, to_queue=target).from_queue(dead, ALL)
    else:
        redrive_archive(redrive.Redrive(sqs, to_queue=target), s3, ARCHIVE, ALL)


@dataclass
class LetterTorture:
    """
    Letters of one dead-letter queue; a worker process for each try.

    :param chance: decides when the workers die.
    """

    sqs: Any
    s3: Any
    endpoint: str
    number: int
    chance: random.Random
    fifo: bool = False
    kills: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        ending, attributes = (".fifo", {"FifoQueue": "true"}) if self.fifo else ("", {})
        self.dead, self.target = (
            self.sqs.create_queue(QueueName=f"{name}{ending}", Attributes=attributes)["QueueUrl"]
            for name in ("importer-dead", "importer")
        )
        for start in range(0, self.number, 10):
            entries = [self._entry(number) for number in range(start, min(start + 10, self.number))]
            self.sqs.send_message_batch(QueueUrl=self.dead, Entries=entries)
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload([__name__])

    def kill_workers(self, what: str, kills: int, requests: int) -> None:
        """
        Let workers die until there were so many kills, then let one work to the end.

        :param requests: a worker lives for so many requests at most, until it sends one or has its answer.
        """
        for _ in range(kills):
            self._try(what, self.chance.randint(1, 2 * requests))
        while self._try(what, None) or self._hidden():
            pass

    def archived(self) -> collections.Counter[str]:
        """How often each letter's body is in the archive."""
        found: collections.Counter[str] = collections.Counter()
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket="agari"):
            for entry in page.get("Contents", []):
                if form := format_of(entry["Key"]):
                    body = self.s3.get_object(Bucket="agari", Key=entry["Key"])["Body"].read()
                    found.update(letter.body for letter in form.read(body))
        return found

    def arrived(self) -> collections.Counter[str]:
        """How often each letter's body is in the queue to which they were redriven; empties it."""
        found: collections.Counter[str] = collections.Counter()
        while messages := self.sqs.receive_message(QueueUrl=self.target, MaxNumberOfMessages=10).get("Messages"):
            found.update(message["Body"] for message in messages)
            entries = [{"Id": str(n), "ReceiptHandle": one["ReceiptHandle"]} for n, one in enumerate(messages)]
            self.sqs.delete_message_batch(QueueUrl=self.target, Entries=entries)
        return found

    def account(self, found: collections.Counter[str]) -> dict[str, int]:
        """Letters that are lost, letters that came more than once, letters that still are in the dead-letter queue."""
        lost = [number for number in range(self.number) if str(number) not in found]
        return {
            "lost": len(lost),
            "doubles": sum(found.values()) - len(found),
            "left": read_depth(self.sqs, self.dead).total,
        }

    def _try(self, what: str, dies_at: int | None) -> bool:
        """Whether it was killed."""
        worker = self._processes.Process(target=work, args=(what, self.endpoint, self.dead, self.target, dies_at))
        worker.start()
        worker.join()
        assert worker.exitcode in (0, -signal.SIGKILL), f"{what} ended with {worker.exitcode}"
        self.kills += worker.exitcode != 0
        return worker.exitcode != 0

    def _hidden(self) -> bool:
        """Whether a killed worker has left hidden letters; waits until they are visible again."""
        if not read_depth(self.sqs, self.dead).total:
            return False
        time.sleep(PAUSE)
        return True

    def _entry(self, number: int) -> dict[str, Any]:
        entry: dict[str, Any] = {"Id": str(number % 10), "MessageBody": str(number)}
        if self.fifo:
            entry |= {"MessageGroupId": str(number % 7), "MessageDeduplicationId": f"d{number}"}
        return entry


def line(what: str, torture: LetterTorture, account: dict[str, int]) -> str:
    return json.dumps({"what": what, "letters": torture.number, "kills": torture.kills, **account})
