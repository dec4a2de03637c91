"""Which of some objects an import has loaded, as the ledger and the recorded failures tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.avro_import.failures import failed_objects, failure_reason
from airflow_agari_provider.avro_import.ledger import TableLedger
from airflow_agari_provider.avro_import.ledger_tables import LEDGER
from airflow_agari_provider.databases.base import Dialect
from airflow_agari_provider.databases.dialects import any_dialect_of
from airflow_agari_provider.databases.statements import reading
from airflow_agari_provider.exceptions import AgariError, cut
from airflow_agari_provider.s3.objects import FoundObject, objects_at
from airflow_agari_provider.s3.urls import uncommitted

SHOWN = 10  # objects of each kind that a text or a result names
REASON_CHARACTERS = 500


@dataclass(frozen=True)
class LoadState:
    """
    How far the import of some objects into one table is.

    :param objects: how many there are.
    :param failed: URLs of objects that are not loaded, and that an import has failed on.
    :param missing: URLs of all other objects that are not loaded.
    :param changed: how many of those that are not loaded were loaded before, with other content.
    :param reasons: URL -> why the import failed, for the first of ``failed``.
    """

    table: str
    objects: int
    failed: Sequence[str] = ()
    missing: Sequence[str] = ()
    changed: int = 0
    reasons: Mapping[str, str] | None = None

    @property
    def loaded(self) -> int:
        return self.objects - len(self.failed) - len(self.missing)

    @property
    def complete(self) -> bool:
        return self.loaded == self.objects

    def figures(self) -> dict[str, Any]:
        """Return the numbers, and the first URLs of what is not loaded, as JSON takes them."""
        return {
            "objects": self.objects,
            "loaded": self.loaded,
            "failed": len(self.failed),
            "missing": len(self.missing),
            "failed_urls": list(self.failed[:SHOWN]),
            "missing_urls": list(self.missing[:SHOWN]),
        }

    def __str__(self) -> str:
        parts = [f"{self.loaded} of {self.objects} object(s) are in table {self.table}"]
        if self.failed:
            reasons = self.reasons or {}
            named = [f"{url} ({reasons[url]})" if url in reasons else url for url in self.failed[:SHOWN]]
            parts.append(f"{len(self.failed)} failed: {_listed(named, len(self.failed))}")
        if self.missing:
            parts.append(f"{len(self.missing)} without a trace: {_listed(self.missing[:SHOWN], len(self.missing))}")
        if self.changed:
            parts.append(f"{self.changed} of these were loaded with other content and overwritten since")
        return "; ".join(parts)


class ObjectsNotLoaded(AgariError):
    """
    Some objects are not in the table, and no message of the queue will bring them.

    :param state: which ones.
    :param queue_urls: the queues.
    :param quiet_period: seconds for which the queues were empty.
    """

    def __init__(self, state: LoadState, queue_urls: Sequence[str], quiet_period: float) -> None:
        super().__init__(state, queue_urls, quiet_period)
        self.state, self.queue_urls, self.quiet_period = state, queue_urls, quiet_period

    def __str__(self) -> str:
        return (
            f"{self.state}. The rest will not come: {', '.join(self.queue_urls)} was empty for "
            f"{self.quiet_period:.0f} s. The message of a failed object is in the dead-letter queue; that of one "
            "without a trace is there too, or was lost, or was deleted without an import. Correct the cause, redrive "
            "the dead-letter queue or import the objects with s3_url, and clear this task. on_missing='warn' lets "
            "such a run pass."
        )


class LedgerUnknown(AgariError):
    """
    The database did not tell which objects are loaded, but may do so later.

    :param cause: its error text.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause

    def __str__(self) -> str:
        return f"it is not known which objects are loaded, because the database did not answer: {self.cause.strip()}"


def objects_to_load(s3: Any, urls: str | Iterable[str], pattern: str | None = None) -> list[FoundObject]:
    """
    Return the objects that an import of these URLs loads: without those that Hadoop hides or has not committed.

    Parameters and errors are those of :func:`airflow_agari_provider.s3.objects.objects_at`.
    """
    return [one for one in objects_at(s3, urls, pattern) if not uncommitted(one.key)]


def load_state(connection: Any, table: str, found: Iterable[FoundObject], placeholder: str | None = None) -> LoadState:
    """
    Ask the database which of the objects are in the table, each with the content that S3 has now.

    :param connection: DB-API connection to the database that the import loads into. Only this function may use it.
    :param placeholder: of a value in SQL, for a driver without a dialect of its own; None takes what the driver says.
    :raises UnknownDatabase: the connection is not one of a DB-API driver.
    :raises LedgerUnknown: a later look may succeed.
    """
    dialect = any_dialect_of(connection, placeholder)
    try:
        dialect.prepare(connection)
        return _load_state(dialect, connection, table, found)
    except dialect.driver.Error as error:
        if dialect.fault(error) in ("passing", "conflict"):
            raise LedgerUnknown(str(error)) from error
        raise


def _load_state(dialect: Dialect, connection: Any, table: str, found: Iterable[FoundObject]) -> LoadState:
    etags = {(one.bucket, one.key): one.etag for one in found}
    with reading(connection):
        there = bool(etags) and dialect.table_exists(connection, LEDGER)
        loaded = TableLedger(dialect, connection, table, run="").etags(list(etags)) if there else {}
        absent = [one for one, etag in etags.items() if etag not in loaded.get(one, ())]
        with_failure = failed_objects(dialect, connection, absent)
        failed = [one for one in absent if one in with_failure]
        reasons = {_url(one): failure_reason(connection, *one, dialect) or "" for one in failed[:SHOWN]}
    return LoadState(
        table,
        len(etags),
        failed=[_url(one) for one in failed],
        missing=[_url(one) for one in absent if one not in with_failure],
        changed=sum(one in loaded for one in absent),
        reasons={url: cut(reason, REASON_CHARACTERS) for url, reason in reasons.items()},
    )


def _url(one: tuple[str, str]) -> str:
    return "s3://{}/{}".format(*one)


def _listed(shown: Sequence[str], count: int) -> str:
    more = f" and {count - len(shown)} more" if count > len(shown) else ""
    return ", ".join(shown) + more
