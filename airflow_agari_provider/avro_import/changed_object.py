"""Which content of an object a table already has, and what that means for content that arrives now."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Literal

from airflow_agari_provider.exceptions import UnimportableObject
from airflow_agari_provider.s3.objects import StoredObject

logger = logging.getLogger(__name__)

OnChangedObject = Literal["fail", "replace", "skip"]
# load: load the object. there: the table has it already. changed: it has changed since its load and is skipped.
LoadDecision = Literal["load", "there", "changed"]


class ObjectChanged(UnimportableObject):
    """
    An object whose key was loaded before, with different content.

    :param url: its S3 URL.
    :param table: the table it was loaded into.
    :param loaded_at: when it was loaded, as the ledger records it.
    """

    def __init__(self, url: str, table: str, loaded_at: str) -> None:
        super().__init__(url, table, loaded_at)
        self.url, self.table, self.loaded_at = url, table, loaded_at

    def __str__(self) -> str:
        return (
            f"{self.url} was loaded into {self.table} at {self.loaded_at}, and its content has changed since. The new "
            "content was not loaded. Write new data under new keys, or set on_changed_object to skip or replace."
        )


@dataclass(frozen=True)
class LoadedContent:
    """
    The content of an object that a table has, as the ledger records it.

    :param modified_at: as :func:`modified_at` returns it.
    :param loaded_at: as the database returns it.
    :param size_bytes: of the content.
    :param content: as :meth:`ObjectStream.content` returns it; None where an older version loaded it.
    """

    table: str
    etag: str
    modified_at: str
    loaded_at: Any
    size_bytes: int | None = None
    content: str | None = None

    def written_anew(self, stored: StoredObject, same_content: Callable[[StoredObject, str], bool]) -> bool:
        """
        Whether the same bytes have another ETag now: after a copy, in parts of another size, or encrypted otherwise.

        :param same_content: tells whether an object has a content. It is called only if ETags differ and sizes do not,
            because it reads the object.
        """
        if self.content is None or self.etag == stored.etag or self.size_bytes != stored.size_bytes:
            return False
        return same_content(stored, self.content)

    def against(
        self, stored: StoredObject, on_changed_object: OnChangedObject, is_current: Callable[[StoredObject], bool]
    ) -> LoadDecision:
        """
        Decide whether to load the content that is now stored under the same key.

        :param is_current: tells whether S3 has this content under the key now. It is called only where the times do
            not tell which content is newer, because S3 gives them in whole seconds.
        :raises ObjectChanged: the content is different, and ``on_changed_object`` is ``fail``.
        """
        if self.etag == stored.etag:
            logger.info("%s skipped: it is already in %s, since %s", stored.url, self.table, self.loaded_at)
            return "there"
        if on_changed_object == "fail":
            raise ObjectChanged(stored.url, self.table, str(self.loaded_at))
        if on_changed_object == "skip":
            logger.warning(
                "%s has changed since it was loaded at %s; the new content is skipped", stored.url, self.loaded_at
            )
            return "changed"
        if not self._older(stored, is_current):  # SQS does not keep the order of messages
            logger.info("%s skipped: a newer version was already loaded at %s", stored.url, self.loaded_at)
            return "there"
        return "load"

    def _older(self, stored: StoredObject, is_current: Callable[[StoredObject], bool]) -> bool:
        other = modified_at(stored)
        return self.modified_at < other or (self.modified_at == other and is_current(stored))


def modified_at(stored: StoredObject) -> str:
    """Return the time of the last change as text that sorts by time: UTC, in whole seconds."""
    return stored.modified_at.astimezone(UTC).isoformat(timespec="seconds")
