"""
The part of S3 that a step names, as files: fetched before the step, and what it changed uploaded after it.

Objects that no argument of the step names are not there for it, also not those whose names it computes.
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
    """An object's key would leave the staging folder."""

    def __init__(self, bucket: str, key: str) -> None:
        super().__init__(bucket, key)
        self.bucket, self.key = bucket, key

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key} cannot be staged as a file: its key leads out of the bucket's folder"


@dataclass(frozen=True)
class S3Prefix:
    """
    :param key: up to the first glob character.
    :param cut: a glob character followed, so that any continuation of the key counts, not only a folder's content.
    """

    bucket: str
    key: str
    cut: bool

    def __contains__(self, key: str) -> bool:
        if self.cut or not self.key:
            return key.startswith(self.key)
        return key == self.key or key.startswith(self.key.rstrip("/") + "/")


def s3_prefixes(words: Sequence[str]) -> list[S3Prefix]:
    """Every ``s3://`` address anywhere in the words, each once."""
    found: dict[S3Prefix, None] = {}
    for word in words:
        for bucket, key in S3_URI.findall(word):
            fixed = GLOB.split(key, maxsplit=1)[0]
            found[S3Prefix(bucket, fixed, fixed != key)] = None
    return list(found)


@dataclass
class StagingFolder:
    """
    Files of the buckets, below ``<folder>/<bucket>/<key>``.

    :param s3: boto3 client.
    """

    s3: Any
    folder: Path
    fetched: dict[Path, FileState] = field(default_factory=dict)

    def fetch(self, prefixes: Sequence[S3Prefix]) -> int:
        """Download what the prefixes hold; returns the number of objects. A bucket that is not there is an S3 error."""
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
        """Files to upload, ``_SUCCESS`` markers last: who sees one may rely on the rest."""
        files = (file for file in self._files() if self.fetched.get(file) != _state(file))
        return sorted(files, key=lambda file: (file.name == "_SUCCESS", file))

    def deleted(self) -> list[dict[str, str]]:
        return [self._address(file) for file in self.fetched if not file.exists()]

    def upload(self, files: Sequence[Path]) -> list[dict[str, str]]:
        """Upload without anybody seeing it: each as a multipart upload that is yet to be completed."""
        with ThreadPoolExecutor(THREADS) as pool:
            return list(pool.map(self._upload, files))

    def abort(self, uploads: Sequence[dict[str, str]]) -> None:
        """Throw uploads away; what is not there (any more) is no error."""
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
        checksums = (".crc",)  # Hadoop's, beside each file it writes
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
