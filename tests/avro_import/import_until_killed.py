"""
Imports from a queue into a table and kills itself (SIGKILL) at a point of the import; run by the tests of kills.

Arguments: driver, where its database is, address of the AWS, URL of the queue, point.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import boto3

from airflow_agari_provider.avro import blocks
from airflow_agari_provider.avro_import import importer, queue_import
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger import TableLedger
from airflow_agari_provider.queues import lease

# What is killed before or after which call of what.
POINTS: dict[str, tuple[Any, str, str, int]] = {
    "before the claim": (TableLedger, "claim", "before", 1),
    "after the claim": (TableLedger, "claim", "after", 1),
    "in the middle of the rows": (blocks.ContainerFile, "decompressed", "before", 8),
    "after the rows": (TableLedger, "settle", "before", 1),
    "before the commit": (TableLedger, "settle", "after", 1),
    "after the commit": (importer.Importer, "import_object", "after", 1),
    "before the message is deleted": (lease.Lease, "delete", "before", 1),
    "after the message is deleted": (lease.Lease, "delete", "after", 1),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def deadly(function: Callable[..., Any], when: str, call: int) -> Callable[..., Any]:
    calls = 0

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if when == "before" and calls == call:
            die()
        result = function(*args, **kwargs)
        if when == "after" and calls == call:
            die()
        return result

    return wrapper


def job(mode: str) -> ImportJob:
    keys = ("org_id", "message_id") if mode == "upsert" else ()
    return ImportJob("scored", "run", mode=mode, key_columns=keys, create_table=True)  # type: ignore[arg-type]


def main(driver: str, where: str, endpoint: str, queue_url: str, mode: str, point: str) -> None:
    owner, name, when, call = POINTS[point]
    setattr(owner, name, deadly(getattr(owner, name), when, call))
    s3, sqs = (boto3.client(service, endpoint_url=endpoint, region_name="us-east-1") for service in ("s3", "sqs"))

    def connect() -> importer.Importer:
        return importer.Importer(importlib.import_module(driver).connect(where), s3, job(mode))

    queue_import.QueueImport(sqs, queue_url, connect, wait_time_seconds=0).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
