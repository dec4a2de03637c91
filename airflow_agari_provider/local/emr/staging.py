"""
The part of S3 that a step names, as files. They are fetched before the step; changed files are uploaded after it.

The step sees only objects that its arguments name. It does not see objects whose names it computes itself.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_agari_provider.exceptions import AgariError

S3_URI = re.compile(r"\bs3[an]?://([^/\s,\"']+)/?([^\s,\"']*)")
GLOB = re.compile(r"[*?\[{]")
THREADS = 8  # requests at once; the embedded AWS answers no faster with more
FileState = tuple[int, int, int]  # inode, size, time of the last change in nanoseconds


class UnsafeKey(AgariError):
    """The file for an object's key would be outside the staging folder."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(bucket, key)
        self.bucket, self.key = bucket, key

    def __str__(self) -> str:
        return (
            f"s3://{self.bucket}/{self.key} cannot be staged as a file: its key leads out of the bucket's folder. "
            "Give the object a key without '.', '..' and empty parts."
        )


@dataclass(frozen=True)
class S3Prefix:
    """
    The objects that an ``s3://`` address means.

    :param key: the address's key, up to the first glob character.
    :param cut: whether a glob character followed. Then every key that begins like this counts; otherwise only the
        object itself and the contents of the folder.
    """

    bucket: str
    key: str
    cut: bool

    def __contains__(self, key: str) -> bool:
        if self.cut or not self.key:
            return key.startswith(self.key)
        return key == self.key or key.startswith(self.key.rstrip("/") + "/")


def s3_prefixes(words: Sequence[str]) -> list[S3Prefix]:
    """Return every ``s3://`` address in the words, each once."""
    found: dict[S3Prefix, None] = {}
    for word in words:
        for bucket, key in S3_URI.findall(word):
            fixed = GLOB.split(key, maxsplit=1)[0]
            found[S3Prefix(bucket, fixed, fixed != key)] = None
    return list(found)


@dataclass
class StagingFolder:
    """
    A folder with the objects of the buckets as files, named ``<folder>/<bucket>/<key>``.

    :param s3: boto3 client.
    """

    s3: Any
    folder: Path
    fetched: dict[Path, FileState] = field(default_factory=dict)

    def fetch(self, prefixes: Sequence[S3Prefix]) -> int:
        """
        Download the objects under the prefixes. Return how many there are.

        A bucket that does not exist raises boto's error.
        """
        wanted: dict[tuple[str, str], Path] = {}
        for prefix in prefixes:
            (self.folder / prefix.bucket).mkdir(parents=True, exist_ok=True)
            for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=prefix.bucket, Prefix=prefix.key):
                for key in (item["Key"] for item in page.get("Contents", [])):
                    if key in prefix and not key.endswith("/"):
                        wanted[prefix.bucket, key] = self._file(prefix.bucket, key)
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(self._download, wanted, wanted.values()))
        self.fetched = {file: _state(file) for file in wanted.values()}
        return len(wanted)

    def changed(self) -> list[Path]:
        """Return the files to upload, ``_SUCCESS`` markers last: a reader that sees one may rely on the other files."""
        files = (file for file in self._files() if self.fetched.get(file) != _state(file))
        return sorted(files, key=lambda file: (file.name == "_SUCCESS", file))

    def deleted(self) -> list[dict[str, str]]:
        return [self._address(file) for file in self.fetched if not file.exists()]

    def upload(self, files: Sequence[Path]) -> list[dict[str, str]]:
        """Upload files so that they are not visible yet: as multipart uploads that are completed later."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self._upload, files))

    def abort(self, uploads: Sequence[dict[str, str]]) -> None:
        """Discard uploads; it is not an error if one does not exist (any more)."""
        from botocore.exceptions import ClientError

        for upload in uploads:
            with contextlib.suppress(ClientError):
                self.s3.abort_multipart_upload(Bucket=upload["bucket"], Key=upload["key"], UploadId=upload["upload_id"])

    def _file(self, bucket: str, key: str) -> Path:
        if any(part in ("", ".", "..") for part in key.split("/")):
            raise UnsafeKey(bucket, key)
        return self.folder / bucket / key

    def _address(self, file: Path) -> dict[str, str]:
        bucket, _, key = file.relative_to(self.folder).as_posix().partition("/")
        return {"bucket": bucket, "key": key}

    def _files(self) -> Iterator[Path]:
        checksums = (".crc",)  # Hadoop writes one for each of its files
        return (file for file in self.folder.rglob("*") if file.is_file() and file.suffix not in checksums)

    def _download(self, address: tuple[str, str], file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as output:
            shutil.copyfileobj(self.s3.get_object(Bucket=address[0], Key=address[1])["Body"], output)

    def _upload(self, file: Path) -> dict[str, str]:
        address = self._address(file)
        names = {"Bucket": address["bucket"], "Key": address["key"]}
        upload_id = self.s3.create_multipart_upload(**names)["UploadId"]
        with file.open("rb") as body:
            part = self.s3.upload_part(**names, UploadId=upload_id, PartNumber=1, Body=body)
        return {**address, "upload_id": upload_id, "etag": part["ETag"]}


def _state(file: Path) -> FileState:
    facts = file.stat()
    return facts.st_ino, facts.st_size, facts.st_mtime_ns
