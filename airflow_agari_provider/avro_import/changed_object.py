"""What is in a table of an object already, and what that means for content that comes now."""

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
# Load it; it is in the table; or it has changed since, and is passed over as told.
LoadDecision = Literal["load", "there", "changed"]


class ObjectChanged(UnimportableObject):
    """
    An object whose key was loaded before, with other content.

    :param url: its S3 URL.
    :param table: the table it was loaded into.
    :param loaded_at: when, as the ledger has it.
    """

    def __init__(self, url: str, table: str, loaded_at: str) -> None:
        super().__init__(url, table, loaded_at)
        self.url, self.table, self.loaded_at = url, table, loaded_at

    def __str__(self) -> str:
        return (
            f"{self.url} was loaded into {self.table} at {self.loaded_at} and has other content now, which was not "
            "loaded. Write new data under new keys, or choose with on_changed_object what a changed object means."
        )


@dataclass(frozen=True)
class LoadedContent:
    """
    :param modified_at: as :func:`modified_at` gives it.
    :param loaded_at: as the database gives it.
    """

    table: str
    etag: str
    modified_at: str
    loaded_at: Any

    def against(
        self, stored: StoredObject, on_changed_object: OnChangedObject, is_current: Callable[[StoredObject], bool]
    ) -> LoadDecision:
        """
        Whether to load what is stored under the same key.

        :param is_current: whether S3 has this content under the key now; asked where times do not tell which content
            is the newer one, because S3 gives them in whole seconds.
        :raises ObjectChanged: it is other content, and ``on_changed_object`` is ``fail``.
        """
        if self.etag == stored.etag:
            logger.info("%s is in %s since %s", stored.url, self.table, self.loaded_at)
            return "there"
        if on_changed_object == "fail":
            raise ObjectChanged(stored.url, self.table, str(self.loaded_at))
        if on_changed_object == "skip":
            logger.warning(
                "%s has changed since it was loaded at %s; its new content is skipped", stored.url, self.loaded_at
            )
            return "changed"
        if not self._older(stored, is_current):  # SQS keeps no order
            logger.info("%s: a newer version than this one was loaded at %s", stored.url, self.loaded_at)
            return "there"
        return "load"

    def _older(self, stored: StoredObject, is_current: Callable[[StoredObject], bool]) -> bool:
        other = modified_at(stored)
        return self.modified_at < other or (self.modified_at == other and is_current(stored))


def modified_at(stored: StoredObject) -> str:
    """As text that sorts by time."""
    return stored.modified_at.astimezone(UTC).isoformat(timespec="seconds")
