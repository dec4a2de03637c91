"""Puts records that an import cannot load on S3, byte for byte, each with the reason. A retry writes the same again."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from typing import Any

from airflow_agari_provider.avro.damaged_file import BadBlock, BadRow
from airflow_agari_provider.avro_import.quarantine import REASON_LENGTH, put_in_quarantine
from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.streams.entries import Entry
from airflow_agari_provider.streams.errors import TooManyBadRecords
from airflow_agari_provider.streams.kinesis import StreamFacts, StreamRecord

logger = logging.getLogger(__name__)


class RecordQuarantine:
    """
    The quarantine of one run.

    :param s3: boto3 client of S3.
    :param url: S3 folder.
    :param most: how many records of the run may be bad; None: no limit.
    """

    def __init__(self, s3: Any, url: str, table: str, stream: StreamFacts, most: int | None) -> None:
        self._s3, self._folder = s3, f"{url.rstrip('/')}/{table}/{stream.name}"
        self._table, self._stream, self._most = table, stream, most
        self._seen: set[tuple[str, str]] = set()  # a transaction may begin again

    def add(self, shard: str, record: StreamRecord, reason: str, rows: Sequence[int] | None = None) -> None:
        """
        Put a record, and next to it a JSON file that describes it.

        :param rows: which of its rows are bad, from 0; None: all of it.
        :raises TooManyBadRecords: there are more bad ones than allowed.
        """
        self._seen.add((shard, record.sequence_number))
        if self._most is not None and len(self._seen) > self._most:
            raise TooManyBadRecords(self._stream.shard_url(shard), self._most, reason)
        about = {
            "stream": self._stream.arn,
            "shard": shard,
            "sequence_number": record.sequence_number,
            "arrived_at": record.arrived_at.isoformat(),
            "table": self._table,
            "bytes": len(record.data),
            "rows": None if rows is None else list(rows),
            "reason": cut(reason, REASON_LENGTH),
        }
        place = f"{self._folder}/{shard}/{record.sequence_number}"
        put_in_quarantine(self._s3, f"{place}.json", json.dumps(about, indent=2).encode())
        where = put_in_quarantine(self._s3, f"{place}.bin", record.data)
        logger.warning("Quarantined a record of %s bytes as %s: %s", len(record.data), where, cut(reason, 500))


class RefusedRows:
    """
    Takes the rows that the database refuses while sound records are loaded; see ``SoundRowsLoad``.

    :param entries: of each row, by the offset of its block.
    """

    def __init__(self, quarantine: RecordQuarantine, stream: StreamFacts, shard: str) -> None:
        self._quarantine, self._shard = quarantine, shard
        self.source = stream.shard_url(shard)
        self.entries: dict[int, list[Entry]] = {}
        self.rows = self.records = 0
        """How many were refused, and of how many records."""

    def add_block(self, bad: BadBlock) -> None:
        raise AssertionError(f"a record that was sound before is not: {bad.reason}")

    def add_rows(self, offset: int, bad: Sequence[BadRow]) -> None:
        entries = self.entries[offset]
        of_entry: dict[str, tuple[Entry, list[int], str]] = {}
        for row in bad:
            entry = entries[row.position]
            first = next(number for number, other in enumerate(entries) if other is entry)
            known = of_entry.setdefault(entry.record.sequence_number, (entry, [], row.reason))
            known[1].append(row.position - first)
        for entry, rows, reason in of_entry.values():
            self._quarantine.add(self._shard, entry.record, reason, rows)
        self.rows += len(bad)
        self.records += len(of_entry)
