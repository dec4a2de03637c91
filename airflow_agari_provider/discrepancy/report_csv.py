"""The table as CSV: as much as a mail may have, and all of it in a file for S3."""

from __future__ import annotations

import gzip
import itertools
import tempfile
from typing import IO, Any
from urllib.parse import quote

from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.discrepancy.table import ROWS_AT_ONCE, Cell, DiscrepancyTable
from airflow_agari_provider.s3.urls import split_url

GZIP_LEVEL = 1  # level 9 takes ten times as long for a tenth less
SMALLEST_ROW = 12  # bytes: a key and a count for each of two stages
ENDS = (".csv", ".csv.gz", ".parquet")


def csv_within(report: DiscrepancyReport, limit: int) -> tuple[bytes, int, bool]:
    """
    Return as much of the table as fits, how many keys that are, and whether it is compressed.

    All keys, if they fit, plain or compressed; otherwise the worst.

    :param limit: bytes.
    """
    table, whole = report.table, b""
    if len(table.every_key) * SMALLEST_ROW <= 10 * limit:  # no CSV is compressed to less than a tenth
        whole = "".join(table.csv_text(table.keys)).encode()
        if len(whole) <= limit:
            return whole, len(table.keys), False
        packed = gzip.compress(whole, GZIP_LEVEL, mtime=0)
        if len(packed) <= limit:
            return packed, len(table.keys), True
    lines = "".join(table.csv_text(report.worst(limit // SMALLEST_ROW))).encode().splitlines(keepends=True)
    sizes = itertools.accumulate(map(len, lines))
    fitting = [line for line, size in zip(lines, sizes, strict=True) if size <= limit]
    return b"".join(fitting), max(0, len(fitting) - 1), False


def upload_table(s3: Any, table: DiscrepancyTable, url: str) -> None:
    """
    Write the whole table to S3: as CSV, compressed CSV or Parquet, by the end of the URL.

    :param s3: boto3 client of S3.
    :raises ValueError: the URL ends otherwise, or is not of an object on S3.
    :raises ImportError: Parquet needs the extra ``[arrow]``.
    """
    bucket, key = split_url(url)
    if not key.endswith(ENDS):
        raise ValueError(f"report_url {url!r} names no object whose name ends with one of {', '.join(ENDS)}")
    with tempfile.TemporaryFile() as file:
        if key.endswith(".parquet"):
            _write_parquet(table, file)
        elif key.endswith(".gz"):
            with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=GZIP_LEVEL) as packed:
                packed.writelines(text.encode() for text in table.csv_text(table.keys))
        else:
            file.writelines(text.encode() for text in table.csv_text(table.keys))
        file.seek(0)
        s3.upload_fileobj(file, bucket, key)


def console_url(url: str) -> str:
    """Return the page of an object in the console of AWS, which asks for its own permission."""
    bucket, key = split_url(url)
    return f"https://console.aws.amazon.com/s3/object/{quote(bucket)}?prefix={quote(key, safe='')}"


def _write_parquet(table: DiscrepancyTable, file: IO[bytes]) -> None:
    import pyarrow
    import pyarrow.parquet

    types = {str: pyarrow.string(), int: pyarrow.int64(), float: pyarrow.float64()}
    headings = zip(table.columns, table.totals, strict=True)
    # a percentage of nothing is the text "new" in some rows, and empty in the file
    schema = pyarrow.schema([(name, types[float if name.endswith("%") else type(total)]) for name, total in headings])
    with pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for start in range(0, len(table.keys), ROWS_AT_ONCE):
            columns = zip(*table.rows(table.keys[start : start + ROWS_AT_ONCE]), strict=True)
            arrays = [
                pyarrow.array(map(_number_or_none, column) if field.type == types[float] else column, field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_table(pyarrow.table(arrays, schema=schema))


def _number_or_none(cell: Cell) -> float | None:
    return None if isinstance(cell, str) else float(cell)
