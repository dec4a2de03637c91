"""Importers for tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.transactions import ImportTransactions
from airflow_agari_provider.databases.dialects import dialect_of

UPSERT: dict[str, Any] = {"mode": "upsert", "key_columns": ("org_id", "message_id")}
QUARANTINE: dict[str, Any] = {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/quarantine"}


@contextmanager
def importers(connect: Callable[[], Any], s3: Any, **settled: Any) -> Iterator[Callable[..., Importer]]:
    """Makes importers into the table ``scored``; they are closed at the end. :param settled: of all their jobs."""
    with ExitStack() as stack:

        def make(**job: Any) -> Importer:
            whole = ImportJob(**{"table": "scored", "run": "r"} | settled | job)
            return stack.enter_context(closing(Importer(connect(), s3, whole)))

        yield make


@contextmanager
def failing_for(s3: Any, *keys: str) -> Iterator[None]:
    """While inside, requests for these objects raise an error that no code expects."""

    def fail(params: dict[str, Any], **kwargs: Any) -> None:
        if params["Key"] in keys:
            raise RuntimeError("no such thing")

    event = "provide-client-params.s3.GetObject"
    s3.meta.events.register(event, fail)
    try:
        yield
    finally:
        s3.meta.events.unregister(event, fail)


@contextmanager
def at_work(connect: Callable[[], Any], url: str) -> Iterator[None]:
    """Another importer, which is loading an object into the table ``scored`` meanwhile."""
    with closing(connect()) as connection:
        transactions = ImportTransactions(dialect_of(connection), connection, ImportJob("scored", "other"))
        with transactions.of_object(url):
            yield
