"""Errors of an import as a whole: what the database says about the rows, and which objects failed."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Literal

from airflow_agari_provider.avro_import.ledger_tables import FAILURES
from airflow_agari_provider.exceptions import AgariError, UnimportableObject, cut

SHOWN_FAILURES = 10  # in the text of an error
IfNoObjects = Literal["fail", "skip", "ok"]  # what to do if there is no object

TRACE_LENGTH = 3000  # characters of a traceback's end, where the error is


class NoObjects(AgariError):
    """
    There is no object to import.

    :param s3_url: where the task looked.
    :param pattern: of the names it looked for.
    :param others: how many objects with other names are there.
    """

    def __init__(self, s3_url: str, pattern: str = "None", others: int = 0) -> None:
        super().__init__(s3_url, pattern, others)
        self.s3_url, self.pattern, self.others = s3_url, pattern, others

    def __str__(self) -> str:
        others = f" ({self.others} others are hidden or do not match pattern={self.pattern!r})" if self.others else ""
        return (
            f"There is no object at {self.s3_url}{others}, so nothing was imported. If this place may be empty, pass "
            "if_no_objects='ok' or 'skip'. Otherwise check whether the job that writes the objects is late."
        )


class UnusableName(UnimportableObject):
    """
    A field whose name no column can have.

    :param url: S3 URL of the object.
    :param cause: which name, and why it cannot be used.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        return f"{self.url}: {self.cause}. Nothing of it was loaded. Use columns= to give the column another name."


class RowsRefused(UnimportableObject):
    """
    Rows that the database refused: they break a constraint or do not fit their column.

    :param url: S3 URL of the object.
    :param cause: error text of the database.
    """

    def __init__(self, url: str, cause: str) -> None:
        super().__init__(url, cause)
        self.url, self.cause = url, cause

    def __str__(self) -> str:
        # PostgreSQL's words for it: the first of texts, the second of JSON
        if "0x00" in self.cause or "\\u0000" in self.cause:
            remedy = (
                "It cannot hold the character U+0000: remove it from the values, or leave the field out with columns="
            )
        else:
            remedy = "Correct the rows or the table"
        return (
            f"{self.url}: the database refused rows of this object, so none of its rows was loaded. {remedy}. The "
            f"database says: {self.cause.strip()}"
        )


class RowsLost(UnimportableObject):
    """
    The database counted a different number of rows than it was given, for example because a trigger drops some.

    :param url: S3 URL of the object.
    :param read: rows read from the object.
    :param loaded: rows that the database counted.
    :param quarantined: rows that were put into quarantine instead.
    """

    def __init__(self, url: str, read: int, loaded: int, quarantined: int = 0) -> None:
        super().__init__(url, read, loaded, quarantined)
        self.url, self.read, self.loaded, self.quarantined = url, read, loaded, quarantined

    def __str__(self) -> str:
        quarantined = f" and {self.quarantined} are in quarantine" if self.quarantined else ""
        return (
            f"{self.url} has {self.read} rows, but the database counted {self.loaded}{quarantined}. The load "
            "was rolled back. Look for triggers or rules on the table that drop or add rows."
        )


class UnexpectedFailure(AgariError):
    """
    An object on which the import failed in a way that it does not know.

    :param url: its S3 URL.
    :param cause: class and text of the error.
    :param trace: the end of the error's traceback.
    """

    def __init__(self, url: str, cause: str, trace: str) -> None:
        super().__init__(url, cause, trace)
        self.url, self.cause, self.trace = url, cause, trace

    def __str__(self) -> str:
        return (
            f"{self.url}: the import failed on this object in a way that it does not know: {self.cause}. Nothing of it "
            "was loaded; other objects are not concerned. This may be a bug: please report it with the traceback, "
            f"which is in the log and in table {FAILURES}."
        )


class ObjectBusy(AgariError):
    """
    An object that another importer is loading.

    :param url: its S3 URL.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def __str__(self) -> str:
        return f"Another importer is loading {self.url}. Import other objects first, or wait until it is done."


def unexpected(url: str, error: BaseException) -> UnexpectedFailure:
    """Return the failure of an object for an exception that no code expects."""
    cause = "".join(traceback.format_exception_only(error)).strip()
    return UnexpectedFailure(url, cut(cause, 500), "".join(traceback.format_exception(error))[-TRACE_LENGTH:])


def is_failure(error: BaseException) -> bool:
    """Whether an exception is a failure of what was done, and does not come from outside, such as Ctrl-C."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"  # of a library in Rust


class _SomeFailed(AgariError):
    """
    Some objects could not be imported; the other ones were.

    :param reasons: error text of each object that could not be imported.
    :param imported: how many objects were imported.
    """

    def __init__(self, reasons: Sequence[str], imported: int) -> None:
        super().__init__(list(reasons), imported)
        self.reasons, self.imported = list(reasons), imported

    def __str__(self) -> str:
        count, shown = len(self.reasons), self.reasons[:SHOWN_FAILURES]
        lines = [f"{count} object(s) could not be imported; {self.imported} other(s) were. The reasons:", *shown]
        if count > SHOWN_FAILURES:
            lines.append(f"... and {count - SHOWN_FAILURES} more; see table {FAILURES}")
        return "\n".join(lines)


class ObjectsFailed(_SomeFailed, UnimportableObject):
    """A retry helps none of these objects."""


class ObjectsFailedForNow(_SomeFailed):
    """A retry may help some of these objects."""


class MessageStuck(AgariError):
    """
    A message that cannot be imported, in a queue without a dead-letter queue to take it.

    :param queue_url: URL of the queue.
    :param message_id: SQS's id of the message.
    :param reason: why it cannot be imported.
    """

    def __init__(self, queue_url: str, message_id: str, reason: str) -> None:
        super().__init__(queue_url, message_id, reason)
        self.queue_url, self.message_id, self.reason = queue_url, message_id, reason

    def __str__(self) -> str:
        return (
            f"Message {self.message_id} of {self.queue_url} cannot be imported and keeps coming back: "
            f"{self.reason} Give the queue a redrive policy, which moves such messages to a dead-letter queue."
        )
