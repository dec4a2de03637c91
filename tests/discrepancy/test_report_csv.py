"""The table in files."""

from __future__ import annotations

import gzip
import io

import pytest

from airflow_agari_provider.discrepancy.report_csv import console_url, csv_within, upload_table
from tests.discrepancy.reports import report_of

AGG = {str(number): 10 for number in range(100)}
REPORT = report_of(AGG, AGG, {**AGG, "7": 1, "8": 2, "9": 3})
HEADINGS = "Org_ID,Collector Msgs,Agg Msgs,DB Msgs,Discrepancy,Discr %,Skipped,Notes"


@pytest.mark.parametrize(
    ("limit", "keys", "packed"), [(10_000, 100, False), (600, 100, True), (150, 3, False), (10, 0, False)]
)
def test_of_a_table_that_is_too_large_the_worst_rows_are_given(limit, keys, packed):
    content, number, is_packed = csv_within(REPORT, limit)
    assert (number, is_packed) == (keys, packed)
    assert len(content) <= limit
    if limit == 150:
        assert [line.split(",")[0] for line in content.decode().splitlines()] == ["Org_ID", "7", "8", "9"]


@pytest.mark.parametrize("name", ["table.csv", "table.csv.gz"])
def test_the_whole_table_is_written_to_s3(s3, bucket, name):
    upload_table(s3, REPORT.table, f"s3://{bucket}/reports/{name}")
    body = s3.get_object(Bucket=bucket, Key=f"reports/{name}")["Body"].read()
    lines = (gzip.decompress(body) if name.endswith("gz") else body).decode().splitlines()
    assert (lines[0], lines[8], len(lines)) == (HEADINGS, "7,10,10,1,9,90.0,0,", 101)


def test_the_whole_table_is_written_as_parquet(s3, bucket):
    parquet = pytest.importorskip("pyarrow.parquet")
    report = report_of({"5": 10}, {"5": 10, "6": 2}, {"5": 9})
    upload_table(s3, report.table, f"s3://{bucket}/table.parquet")
    table = parquet.read_table(io.BytesIO(s3.get_object(Bucket=bucket, Key="table.parquet")["Body"].read()))
    assert table.column_names == HEADINGS.split(",")
    first, second = table.to_pylist()
    assert (first["Org_ID"], first["Agg Msgs"], first["Discr %"]) == ("5", 10, 10.0)
    assert (second["Org_ID"], second["Discr %"], second["Notes"]) == ("6", None, "missing in Collector, DB")


@pytest.mark.parametrize("url", ["s3://agari/table.xlsx", "table.csv", "s3://agari/"])
def test_a_table_needs_an_object_of_a_known_kind(url):
    with pytest.raises(ValueError, match=r"S3 URL|names no object"):
        upload_table(None, REPORT.table, url)


def test_the_link_leads_to_the_page_of_the_object():
    assert console_url("s3://b/a b/c.csv") == "https://console.aws.amazon.com/s3/object/b?prefix=a%20b%2Fc.csv"
