"""Transactions of an import: they lock what they load, and are tried again after a conflict with another one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
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
    """
    Runs the transactions of one job.

    :param connection: DB-API connection.
    :param partly_bad: errors of a source of which some is bad, so that a careful attempt loads the rest.
    """

    dialect: Dialect
    connection: Any
    job: ImportJob
    partly_bad: tuple[type[UnimportableObject], ...] = (BadAvro, UnstorableValue, RowsRefused)

    @contextmanager
    def of_object(self, url: str, wait: bool = True) -> Iterator[None]:
        """
        Load an object inside, which no other importer is loading at the same time.

        :param wait: if another importer is loading the object, wait for it; the claim in the ledger does the waiting.
        :raises ObjectBusy: another importer is loading the object, and ``wait`` is not set.
        :raises RowsRefused: the database refused rows.
        """
        lock = f"{self.job.table} {url}"
        with self.refusals(url), self._unlocked_after(lock), transaction(self.dialect, self.connection):
            if not self.dialect.try_lock(self.connection, lock) and not wait:
                raise ObjectBusy(url)
            yield

    @contextmanager
    def of_objects(self, urls: Sequence[str]) -> Iterator[list[bool]]:
        """
        Load objects inside, all or none of them.

        Yield for each whether it may be loaded: it may not while another importer is loading it.
        """
        locks = [f"{self.job.table} {url}" for url in urls]
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(self._unlocked_after(lock))
            stack.enter_context(transaction(self.dialect, self.connection))
            yield self.dialect.try_locks(self.connection, locks)

    @contextmanager
    def of_replacement(self, table: str) -> Iterator[None]:
        """
        Replace rows of a table inside, which no other importer does at the same time.

        :param table: the first of its names; see :meth:`Dialect.table_names`.
        """
        lock = f"replace {table}"
        with self._unlocked_after(lock), transaction(self.dialect, self.connection):
            self.dialect.lock(self.connection, lock)
            yield

    @contextmanager
    def _unlocked_after(self, lock: str) -> Iterator[None]:
        """Release the lock after the transaction, because some databases keep it longer."""
        try:
            yield
        finally:
            with suppress(self.dialect.driver.Error):  # a broken connection has no locks
                self.dialect.unlock(self.connection, lock)

    @contextmanager
    def refusals(self, url: str) -> Iterator[None]:
        """:raises RowsRefused: the database refused rows of the object that is loaded inside."""
        try:
            yield
        except self.dialect.driver.Error as error:
            if self.dialect.fault(error) == "rows":
                raise RowsRefused(url, str(error)) from error
            raise

    def tried(self, attempt: Callable[[bool], T]) -> T:
        """
        Return the result of a transaction. It is tried again after a conflict with another transaction.

        :param attempt: the transaction; its argument says whether to quarantine what is bad. The argument is False
            first, because that is faster for sound objects.
        """
        careful = False
        for number in range(CONFLICT_TRIES):
            try:
                return attempt(careful)
            except (self.dialect.driver.Error, ClaimedMeanwhile) as error:
                conflict = isinstance(error, ClaimedMeanwhile) or self.dialect.fault(error) == "conflict"
                if not conflict or number == CONFLICT_TRIES - 1:
                    raise
                logger.warning("%s: conflict with another transaction, trying again: %s", self.job.table, error)
            except UnimportableObject as error:
                if careful or not self.quarantines(error):
                    raise
                careful = True
                logger.warning("Trying again, to load what is sound and quarantine the rest: %s", error)
        return attempt(careful)

    def quarantines(self, error: Exception) -> bool:
        """Whether a careful attempt would put what is bad into quarantine."""
        return self.job.on_bad_block == "quarantine" and isinstance(error, self.partly_bad)
