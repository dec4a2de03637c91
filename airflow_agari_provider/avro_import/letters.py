"""Messages of a queue, by the objects that they name: which of these can be loaded together."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from airflow_agari_provider.avro_import.joint_load import SMALL_BYTES
from airflow_agari_provider.s3.notifications import ObjectReference
from airflow_agari_provider.s3.objects import FoundObject


@dataclass(frozen=True)
class Letter:
    """
    A message that was received.

    :param references: the objects that it names and that are still to be imported.
    :param again: whether it was received before.
    """

    message_id: str
    references: Sequence[ObjectReference]
    again: bool = False

    def without(self, loaded: Container[ObjectReference]) -> Letter:
        return replace(self, references=[one for one in self.references if one not in loaded])


def are_small(letters: Sequence[Letter]) -> bool:
    """
    Whether all objects are small enough to be loaded with others, as far as is known, and none of the messages was
    received before.
    """
    return not any(letter.again for letter in letters) and all(
        (one.size or 0) <= SMALL_BYTES for letter in letters for one in letter.references
    )


def can_share(letters: Sequence[Letter]) -> dict[FoundObject, ObjectReference]:
    """
    Return the objects that may share a transaction, each key once.

    A message that was received before is left out, because its object may have ended the process that had it.
    """
    first: dict[tuple[str, str], ObjectReference] = {}
    for letter in letters:
        for one in letter.references if not letter.again else ():
            first.setdefault((one.bucket, one.key), one)
    return {
        FoundObject(one.bucket, one.key, one.etag or "", one.size or 0, one.version_id): one for one in first.values()
    }
