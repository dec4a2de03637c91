"""
Brings letters back that a purge has archived in S3.

Beside each archived object stands a note, ``<key>.redriven``, of the messages that were sent from it. So a retry goes
on where the last try ended, and a second redrive of the same archive sends nothing. If the process dies between sending
and noting, the ten messages of one batch come twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.batches import BATCH
from airflow_agari_provider.queues.dead_letters import DeadLetter
from airflow_agari_provider.queues.letter_formats import UNREADABLE, format_of
from airflow_agari_provider.queues.patience import patiently
from airflow_agari_provider.queues.permissions import told
from airflow_agari_provider.queues.redrive import LettersNotSent, Redrive
from airflow_agari_provider.s3.urls import is_below, split_url

NOTE = ".redriven"


class BadArchive(AgariError):
    """
    An object that is no archive of dead letters.

    :param url: its S3 URL.
    :param problem: what is wrong.
    """

    def __init__(self, url: str, problem: str) -> None:
        super().__init__(url, problem)
        self.url, self.problem = url, problem

    def __str__(self) -> str:
        return (
            f"{self.url} is no archive of dead letters: {self.problem}. Nothing of it was sent. Name the folder to "
            "which SqsDeadLetterPurgeOperator has written."
        )


def redrive_archive(redrive: Redrive, s3: Any, archive_url: str, at_most: int) -> list[str]:
    """
    Send the archived letters below a URL to their queues again, and return the URLs of their objects.

    A letter that is in several objects, because a purge died before it could delete it, is sent once.

    :param s3: boto3 client of S3.
    :param archive_url: ``s3://bucket/prefix``, or one archived object.
    :raises BadArchive: an object is no archive.
    :raises LettersNotSent: a queue did not take letters back.
    """
    bucket, _ = split_url(archive_url)
    shelf = _Shelf(redrive, s3, bucket)
    sent: set[str] = set()  # message ids, of all objects
    for key in shelf.keys(archive_url):
        if key.endswith(NOTE):
            sent.update(_noted(shelf, key))
    urls = []
    for key in shelf.keys(archive_url):
        if redrive.moved >= at_most or redrive.stopped():
            break
        if not key.endswith(NOTE) and _send_object(redrive, shelf, key, sent, at_most):
            urls.append(f"s3://{bucket}/{key}")
    return urls


@dataclass(frozen=True)
class _Shelf:
    """The bucket of an archive, whose requests are sent again while their errors may pass."""

    redrive: Redrive
    s3: Any
    bucket: str

    def keys(self, archive_url: str) -> Iterator[str]:
        """Keys of the archived objects at or below a URL, and of their notes."""
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": split_url(archive_url)[1]}
        while True:
            page = self._ask(archive_url, lambda: self.s3.list_objects_v2(**request))
            for found in page.get("Contents", []):
                key = str(found["Key"])
                archived = key.removesuffix(NOTE)
                if format_of(archived) and is_below(archive_url, self.bucket, archived):
                    yield key
            if not page.get("IsTruncated"):
                return
            request["ContinuationToken"] = page["NextContinuationToken"]

    def read(self, key: str) -> bytes:
        place = {"Bucket": self.bucket, "Key": key}
        return bytes(self._ask(self.url(key), lambda: self.s3.get_object(**place)["Body"].read()))

    def write(self, key: str, body: bytes) -> None:
        self._ask(self.url(key), lambda: self.s3.put_object(Bucket=self.bucket, Key=key, Body=body))

    def url(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def _ask(self, url: str, request: Callable[[], Any]) -> Any:
        return told(partial(patiently, request, self.redrive.sleep), url)


def _send_object(redrive: Redrive, shelf: _Shelf, key: str, sent: set[str], at_most: int) -> int:
    """Send what is wanted and was not sent; note it beside the object, and in ``sent``. Return how many that were."""
    letters = {letter.message_id: letter for letter in _letters(shelf, key)}
    before = redrive.moved
    parts: dict[str, list[DeadLetter]] = {}
    for letter in letters.values():
        if letter.message_id in sent:
            continue
        if not redrive.wanted.takes(letter, redrive.clock()):
            redrive.left += 1
        elif target := redrive.target_of(letter):
            parts.setdefault(target, []).append(letter)
        else:
            redrive.homeless += 1
    for target, wanted in parts.items():
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + min(BATCH, at_most - redrive.moved)]
            if not batch or redrive.stopped():
                return redrive.moved - before
            failed = redrive.send(target, batch)
            sent |= {letter.message_id for letter in batch if letter.message_id not in failed}
            shelf.write(key + NOTE, json.dumps(sorted(letters.keys() & sent)).encode())
            redrive.moved += len(batch) - len(failed)
            redrive.tell()
            if failed:
                raise LettersNotSent(target, failed)
    return redrive.moved - before


def _noted(shelf: _Shelf, key: str) -> list[str]:
    """Return the ids of the messages that a note says were sent. Without them, letters would come twice."""
    try:
        ids = json.loads(shelf.read(key))
    except (ValueError, RecursionError):
        ids = None
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        raise BadArchive(shelf.url(key), "it is not the list of the message ids that a redrive has sent")
    return ids


def _letters(shelf: _Shelf, key: str) -> list[DeadLetter]:
    form = format_of(key)
    assert form is not None  # ``keys`` has no others
    try:
        return form.read(shelf.read(key))
    except UNREADABLE as error:
        raise BadArchive(shelf.url(key), f"{type(error).__name__}: {error}") from error
