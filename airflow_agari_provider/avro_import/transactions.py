"""Transactions of an import: alone with what they load, and tried again where others were in their way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_agari_provider.avro_import.errors import ObjectBusy, RowsRefused
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.ledger import ClaimedMeanwhile
from airflow_agari_provider.databases.base import Dialect
from airflow_agari_provider.databases.errors import UnstorableValue
from airflow_agari_provider.databases.statements import transaction
from airflow_agari_provider.exceptions import BadAvro, UnimportableObject

logger = logging.getLogger(__name__)

T = TypeVar("T")
CONFLICT_TRIES = 5  # transactions for one object before a deadlock is an error


@dataclass(frozen=True)
class ImportTransactions:
    """:param connection: DB-API connection."""

    dialect: Dialect
    connection: Any
    job: ImportJob

    @contextmanager
    def of_object(self, url: str, wait: bool = True) -> Iterator[None]:
        """
        Load an object inside, which no other importer is loading.

        :param wait: for another importer that is; which is left to its claim in the ledger.
        :raises ObjectBusy: another one is, and ``wait`` is not set.
        :raises RowsRefused: by the database.
        """
        lock = f"{self.job.table} {url}"
        with self.refusals(url), self._unlocked_after(lock), transaction(self.dialect, self.connection):
            if not self.dialect.try_lock(self.connection, lock) and not wait:
                raise ObjectBusy(url)
            yield

    @contextmanager
    def of_replacement(self, table: str) -> Iterator[None]:
        """
        Replace rows of a table inside, which nobody else does meanwhile.

        :param table: its one name.
        """
        lock = f"replace {table}"
        with self._unlocked_after(lock), transaction(self.dialect, self.connection):
            self.dialect.lock(self.connection, lock)
            yield

    @contextmanager
    def _unlocked_after(self, lock: str) -> Iterator[None]:
        """Behind the transaction: some databases keep a lock beyond it."""
        try:
            yield
        finally:
            with suppress(self.dialect.driver.Error):  # a broken connection has no locks
                self.dialect.unlock(self.connection, lock)

    @contextmanager
    def refusals(self, url: str) -> Iterator[None]:
        """:raises RowsRefused: by the database, of the object that is loaded inside."""
        try:
            yield
        except self.dialect.driver.Error as error:
            if self.dialect.fault(error) == "rows":
                raise RowsRefused(url, str(error)) from error
            raise

    def tried(self, attempt: Callable[[bool], T]) -> T:
        """
        Result of a transaction that is tried again where another one was in its way.

        :param attempt: the transaction; its argument says whether to quarantine what is bad. It is False first: sound
            objects go the fast way.
        """
        careful = False
        for number in range(CONFLICT_TRIES):
            try:
                return attempt(careful)
            except (self.dialect.driver.Error, ClaimedMeanwhile) as error:
                conflict = isinstance(error, ClaimedMeanwhile) or self.dialect.fault(error) == "conflict"
                if not conflict or number == CONFLICT_TRIES - 1:
                    raise
                logger.warning("%s: in another transaction's way, once more: %s", self.job.table, error)
            except UnimportableObject as error:
                if careful or not self.quarantines(error):
                    raise
                careful = True
                logger.warning("Once more, to load what is sound and quarantine the rest: %s", error)
        return attempt(careful)

    def quarantines(self, error: UnimportableObject) -> bool:
        """Whether a careful attempt puts what is bad into quarantine."""
        return self.job.on_bad_block == "quarantine" and isinstance(error, BadAvro | UnstorableValue | RowsRefused)
