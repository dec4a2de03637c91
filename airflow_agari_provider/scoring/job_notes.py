"""
Notes about submitted jobs on S3, for a service that does not tell to whom a job belongs.

Before a submission, an empty place is taken: ``<token>/<number>/intent``. S3 lets only one attempt take it. After the
submission the job's id is noted beside it: ``<token>/<number>/<id>``. An attempt that dies in between leaves an intent
without an id: then it is not known whether there is a job.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.job_lists import read_token
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable

INTENT = "intent"
_NUMBER = re.compile("[0-9]{1,9}")
NOTES_SEARCHED = 20_000  # keys below the prefix, to find out which jobs are somebody's
PLACE_TAKEN = 412  # S3's status for an object that exists already; 409: another request takes it at this moment


@dataclass
class Note:
    """
    One submission.

    :param noted_at: seconds since 1970, by S3's clock.
    :param job_id: empty: the attempt died before it knew it, or is not so far yet.
    """

    token: str
    number: int
    noted_at: float
    job_id: str = ""


class JobNotes:
    """
    The notes below one prefix.

    :param place: bucket, and prefix with a slash at its end.
    """

    def __init__(self, aws: AwsRequests, place: tuple[str, str]) -> None:
        self._aws = aws
        self._bucket, self._prefix = place

    def of(self, token: str) -> list[Note]:
        """Return the notes of one token, in the order of their numbers."""
        with self._aws.asking("Looking for a job's notes on S3"):
            return sorted(self._read(f"{self._prefix}{token}/"), key=lambda note: note.number)

    def all(self) -> list[Note]:
        """Return all notes, no more than ``NOTES_SEARCHED`` objects of them."""
        with self._aws.asking("Looking for all notes on S3"):
            return list(self._read(self._prefix))

    def take(self, token: str, number: int, owner: str) -> None:
        """
        Note that a job will be submitted.

        :raises BackendUnavailable: another attempt has noted the same.
        """
        from botocore.exceptions import ClientError

        body = json.dumps({"owner": owner}).encode()
        request = "Noting on S3 that a job will be submitted"
        with self._aws.asking(request):
            try:
                self._put(f"{token}/{number}/{INTENT}", body, IfNoneMatch="*")
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in (409, PLACE_TAKEN):
                    raise BackendUnavailable(request, "another attempt of the same task does so") from error
                raise

    def add_id(self, token: str, number: int, job_id: str) -> None:
        """Note the id of the job that was submitted."""
        with self._aws.asking(f"Noting on S3 that job {job_id} was submitted"):
            self._put(f"{token}/{number}/{job_id}", b"")

    def owner_of(self, note: Note) -> str:
        """Return the address of the task that submitted a job."""
        key = f"{self._prefix}{note.token}/{note.number}/{INTENT}"
        with self._aws.asking(f"Reading on S3 whose job {note.job_id} is"):
            body = self._aws.client("s3").get_object(Bucket=self._bucket, Key=key)["Body"].read()
        try:
            return str(json.loads(body)["owner"])
        except (ValueError, KeyError, TypeError) as error:
            raise BackendRefused(f"Reading on S3 whose job {note.job_id} is", f"s3://{self._bucket}/{key}") from error

    def _put(self, name: str, body: bytes, **conditions: Any) -> None:
        self._aws.client("s3").put_object(Bucket=self._bucket, Key=self._prefix + name, Body=body, **conditions)

    def _read(self, prefix: str) -> Iterator[Note]:
        found: dict[tuple[str, int], Note] = {}
        seen = 0
        for page in (
            self._aws.client("s3").get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        ):
            for item in page.get("Contents", []):
                seen += 1
                parts = item["Key"].removeprefix(self._prefix).split("/")
                if len(parts) != 3 or not read_token(parts[0]) or not _NUMBER.fullmatch(parts[1]):
                    continue
                place = parts[0], int(parts[1])
                noted_at = item["LastModified"].timestamp()
                note = found.setdefault(place, Note(*place, noted_at))
                if parts[2] == INTENT:
                    note.noted_at = noted_at
                else:
                    note.job_id = parts[2]
            if seen >= NOTES_SEARCHED:
                break
        yield from found.values()
