"""Importers for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from airflow_agari_provider.avro_import import Importer
from airflow_agari_provider.import_job import ImportJob


@contextmanager
def importers(connect: Callable[[], Any], s3: Any, **settled: Any) -> Iterator[Callable[..., Importer]]:
    """Makes importers into the table ``scored``; they are closed at the end. :param settled: of all their jobs."""
    opened = []

    def make(**job: Any) -> Importer:
        opened.append(Importer(connect(), s3, ImportJob(**{"table": "scored", "run": "r"} | settled | job)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
