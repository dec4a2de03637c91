"""Errors of an import as a whole: what the database says of the rows, and which objects failed."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_agari_provider.avro_import.ledger_tables import FAILURES
from airflow_agari_provider.exceptions import AgariError, UnimportableObject

SHOWN_FAILURES = 10  # in the text of an error


class UnusableName(UnimportableObject):
    """
    A field whose name no column can have.

    :param url: S3 URL of the object.
    :param cause: which name, and why not.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        return f"{self.url}: {self.cause}. Nothing of it was loaded; give the column another name with columns=."


class RowsRefused(UnimportableObject):
    """
    Rows that the database refused: they break a constraint or do not fit their column.

    :param url: S3 URL of the object.
    :param cause: what the database says.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        return f"{self.url}: the database refused its rows, so none was loaded: {self.cause.strip()}"


class RowsLost(UnimportableObject):
    """
    A database that counts other rows than it was given, such as one with a trigger that drops some.

    :param url: S3 URL of the object.
    :param read: rows read from the object.
    :param loaded: rows that the database counted.
    :param quarantined: rows that were left out knowingly.
    """

    def __init__(self, url: str, read: int, loaded: int, quarantined: int = 0) -> None:
        super().__init__(url, read, loaded, quarantined)
        self.url, self.read, self.loaded, self.quarantined = url, read, loaded, quarantined

    def __str__(self) -> str:
        quarantined = f" and {self.quarantined} are in quarantine" if self.quarantined else ""
        return (
            f"{self.url} has {self.read} rows, but the database counted {self.loaded}{quarantined}: rolled back. "
            "Look for triggers or rules of the table that drop rows or add some."
        )


class ObjectBusy(AgariError):
    """
    An object that another importer is at work on.

    :param url: its S3 URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"Another importer is at work on {self.url}. Import others meanwhile, or wait for it."


class _SomeFailed(AgariError):
    """
    Objects that could not be imported, where the others were.

    :param reasons: text of each object's error.
    :param imported: number of the others.
    """

    def __init__(self, reasons: Sequence[str], imported: int) -> None:
        super().__init__(list(reasons), imported)
        self.reasons, self.imported = list(reasons), imported

    def __str__(self) -> str:
        count, shown = len(self.reasons), self.reasons[:SHOWN_FAILURES]
        lines = [f"{count} object(s) could not be imported; {self.imported} are in the table:", *shown]
        if count > SHOWN_FAILURES:
            lines.append(f"... and {count - SHOWN_FAILURES} more; see table {FAILURES}")
        return "\n".join(lines)


class ObjectsFailed(_SomeFailed, UnimportableObject):
    """None of them can be imported by trying again."""


class ObjectsFailedForNow(_SomeFailed):
    """Trying again may help some of them."""
