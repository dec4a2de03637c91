"""
Brings letters back that a purge has archived in S3.

Beside each archived object stands a note, ``<key>.redriven``, of the messages that were sent from it. So a retry goes
on where the last try ended, and a second redrive of the same archive sends nothing. If the process dies between sending
and noting, the ten messages of one batch come twice.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.queues.batches import BATCH
from airflow_agari_provider.queues.dead_letters import DeadLetter
from airflow_agari_provider.queues.patience import patiently
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

    :param s3: boto3 client of S3.
    :param archive_url: ``s3://bucket/prefix``, or one archived object.
    :raises BadArchive: an object is no archive.
    :raises LettersNotSent: a queue did not take letters back.
    """
    bucket, _ = split_url(archive_url)
    urls = []
    for key in _keys(redrive, s3, archive_url):
        if redrive.moved >= at_most or redrive.stopped():
            break
        if _send_object(redrive, s3, bucket, key, at_most):
            urls.append(f"s3://{bucket}/{key}")
    return urls


def _keys(redrive: Redrive, s3: Any, archive_url: str) -> Iterator[str]:
    bucket, prefix = split_url(archive_url)
    request: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page = patiently(partial(s3.list_objects_v2, **request), redrive.sleep)
        for found in page.get("Contents", []):
            key = str(found["Key"])
            if key.endswith(".jsonl") and is_below(archive_url, bucket, key):
                yield key
        if not page.get("IsTruncated"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def _send_object(redrive: Redrive, s3: Any, bucket: str, key: str, at_most: int) -> int:
    sent = set(_noted(redrive, s3, bucket, key))
    letters = [letter for letter in _letters(redrive, s3, bucket, key) if letter.message_id not in sent]
    before = redrive.moved
    parts: dict[str, list[DeadLetter]] = {}
    for letter in letters:
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
            note = json.dumps(sorted(sent)).encode()
            patiently(partial(s3.put_object, Bucket=bucket, Key=key + NOTE, Body=note), redrive.sleep)
            redrive.moved += len(batch) - len(failed)
            if failed:
                raise LettersNotSent(target, failed)
    return redrive.moved - before


def _noted(redrive: Redrive, s3: Any, bucket: str, key: str) -> list[str]:
    from botocore.exceptions import ClientError

    try:
        answer = patiently(partial(s3.get_object, Bucket=bucket, Key=key + NOTE), redrive.sleep)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return []
        raise
    noted: list[str] = json.loads(answer["Body"].read())
    return noted


def _letters(redrive: Redrive, s3: Any, bucket: str, key: str) -> list[DeadLetter]:
    body = patiently(lambda: s3.get_object(Bucket=bucket, Key=key)["Body"].read(), redrive.sleep)
    try:
        return [_letter(json.loads(line)) for line in body.decode().split("\n") if line]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadArchive(f"s3://{bucket}/{key}", f"{type(error).__name__}: {error}") from error


def _letter(line: dict[str, Any]) -> DeadLetter:
    attributes = {
        name: value | ({"BinaryValue": base64.b64decode(value["BinaryValue"])} if "BinaryValue" in value else {})
        for name, value in line["message_attributes"].items()
    }
    return DeadLetter(line["message_id"], line["body"], line["attributes"], attributes)
