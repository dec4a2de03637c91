"""Importers for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from airflow_agari_provider.avro_import import Importer
from airflow_agari_provider.import_job import ImportJob
from airflow_agari_provider.import_transactions import ImportTransactions
from airflow_agari_provider.loaders.dialects import dialect_of


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


@contextmanager
def at_work(connect: Callable[[], Any], url: str) -> Iterator[None]:
    """Another importer, which is loading an object into the table ``scored`` meanwhile."""
    with closing(connect()) as connection:
        transactions = ImportTransactions(dialect_of(connection), connection, ImportJob("scored", "other"))
        with transactions.of_object(url):
            yield
