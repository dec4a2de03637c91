"""
Puts what an import cannot load on S3: damaged blocks byte for byte, refused rows as Avro, each with the reason.

Keys and contents depend on the object alone, so that a retry writes the same files again instead of more of them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from typing import Any

from airflow_agari_provider.avro.damaged_file import BadBlock, BadRow
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import UnimportableObject, cut
from airflow_agari_provider.s3.errors import ForbiddenObject
from airflow_agari_provider.s3.objects import StoredObject, forbidden
from airflow_agari_provider.s3.urls import split_url

logger = logging.getLogger(__name__)

KEY_BYTES = 1024  # S3's limit
NAME_BYTES = 60  # of the longest name below an object's folder, and some spare
REASON_LENGTH = 4000  # characters


class TooMuchQuarantined(UnimportableObject):
    """
    An object with more bad blocks than are allowed.

    :param url: its S3 URL.
    :param max_bad_blocks: how many were allowed.
    :param last_reason: why the block beyond the limit is bad.
    """

    def __init__(self, url: str, max_bad_blocks: int, last_reason: str) -> None:
        super().__init__(url, max_bad_blocks, last_reason)
        self.url, self.max_bad_blocks, self.last_reason = url, max_bad_blocks, last_reason

    def __str__(self) -> str:
        return (
            f"{self.url}: more than max_bad_blocks={self.max_bad_blocks} blocks are bad or hold bad rows, so nothing "
            "of this object was loaded. Have the object written anew, or raise max_bad_blocks. Reason of the last bad "
            f"block: {self.last_reason}"
        )


@dataclass
class Quarantine:
    """
    The quarantine of one object that is imported into one table.

    :param s3: boto3 client of S3.
    :param url: S3 folder for everything that is quarantined.
    :param writer: schema of the object.
    :param max_bad_blocks: how many blocks may be bad or hold bad rows; None: no limit.
    """

    s3: Any
    url: str
    table: str
    stored: StoredObject
    writer: AvroSchema
    max_bad_blocks: int | None
    rows: int = 0
    """How many rows are bad or in bad blocks, as far as the blocks tell."""
    offsets: set[int] = field(default_factory=set)
    """Offsets of the blocks that are bad or hold bad rows."""

    @property
    def source(self) -> str:
        return self.stored.url

    @property
    def folder(self) -> str:
        """S3 URL of the folder for everything quarantined of this object."""
        bucket, prefix = split_url(self.url)
        prefix = f"{prefix.rstrip('/')}/"
        name = f"{self.stored.bucket}/{self.stored.key}"
        space = KEY_BYTES - NAME_BYTES - len(f"{prefix}{self.table}/{self.stored.etag}/".encode())
        if len(name.encode()) > space:
            name = sha256(name.encode()).hexdigest()
        return f"s3://{bucket}/{prefix}{self.table}/{name}/{self.stored.etag}/"

    def add_block(self, bad: BadBlock) -> None:
        """
        Put the bytes of a bad block, and next to them a JSON file that describes them.

        :raises TooMuchQuarantined: there are more bad blocks than allowed.
        """
        self._count(bad.offset, bad.records or 0, bad.reason)
        name = f"block-{bad.offset:015d}"
        about = {
            "object": self.stored.url,
            "version_id": self.stored.version_id,
            "etag": self.stored.etag,
            "table": self.table,
            "offset": bad.offset,
            "bytes": len(bad.raw),
            "records": bad.records,
            "reason": bad.reason,
        }
        self._put(f"{name}.json", json.dumps(about, indent=2).encode())
        where = self._put(f"{name}.bin", bad.raw)
        records = "an unknown number of" if bad.records is None else bad.records
        logger.warning(
            "Quarantined a damaged block of %s bytes and %s rows as %s: %s", len(bad.raw), records, where, bad.reason
        )

    def add_rows(self, offset: int, bad: Sequence[BadRow]) -> None:
        """
        Put bad rows of the block at an offset, as an Avro file of rows with their reasons.

        :raises TooMuchQuarantined: there are more blocks with bad rows than allowed.
        """
        self._count(offset, len(bad), bad[0].reason)
        where = self._put(f"rows-{offset:015d}.avro", self._rows_file(offset, bad))
        logger.warning(
            "Quarantined %s row(s) of the block at byte %s as %s. The first one is row %s of the block: %s",
            len(bad),
            offset,
            where,
            bad[0].position,
            bad[0].reason,
        )

    def _count(self, offset: int, rows: int, reason: str) -> None:
        self.offsets.add(offset)
        self.rows += rows
        if self.max_bad_blocks is not None and len(self.offsets) > self.max_bad_blocks:
            raise TooMuchQuarantined(self.stored.url, self.max_bad_blocks, reason)

    def _put(self, name: str, data: bytes) -> str:
        return put_in_quarantine(self.s3, self.folder + name, data)

    def _rows_file(self, offset: int, bad: Sequence[BadRow]) -> bytes:
        """Return the rows byte for byte as the object has them, each after its position and its reason."""
        import fastavro

        marker = sha256(f"{self.folder}{offset}".encode()).digest()[:16]
        file, block = BytesIO(), BytesIO()
        fastavro.writer(file, _with_reason(self.writer.raw), [], sync_marker=marker)
        for row in bad:
            for kind, value in (
                ("string", self.stored.url),
                ("long", offset),
                ("long", row.position),
                ("string", cut(row.reason, REASON_LENGTH)),
            ):
                fastavro.schemaless_writer(block, kind, value)
            block.write(row.datum)
        fastavro.schemaless_writer(file, "long", len(bad))
        fastavro.schemaless_writer(file, "bytes", block.getvalue())  # the size of the block, then the block
        return file.getvalue() + marker


def put_in_quarantine(s3: Any, url: str, data: bytes) -> str:
    """
    Put an object, and return its URL.

    :raises ForbiddenObject: S3 does not allow it.
    """
    from botocore.exceptions import ClientError

    bucket, key = split_url(url)
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=data)
    except ClientError as error:
        if forbidden(error):
            raise ForbiddenObject(url, str(error)) from error
        raise
    return url


def in_quarantine(quarantine_url: str | None, bucket: str, key: str) -> bool:
    """Whether an object is in quarantine itself, and so is never imported."""
    if not quarantine_url:
        return False
    quarantine_bucket, prefix = split_url(quarantine_url)
    return bucket == quarantine_bucket and key.startswith(f"{prefix.rstrip('/')}/")


def _with_reason(row: Any) -> Any:
    fields = {"object": "string", "block_offset": "long", "position": "long", "reason": "string", "row": row}
    # No namespace, so that the names of the row's own types do not change.
    return {
        "type": "record",
        "name": "agari_quarantined_row",
        "fields": [{"name": name, "type": kind} for name, kind in fields.items()],
    }
