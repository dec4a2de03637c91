"""The statements for Redshift and Snowflake, word by word: no such server is at hand to try them on."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_agari_provider.avro.columns import Column, UnsupportedAvroType
from airflow_agari_provider.databases.base import Target
from airflow_agari_provider.databases.warehouses import NotByCopy, RedshiftDialect, SnowflakeDialect, require_unchanged
from airflow_agari_provider.s3.errors import ObjectOverwritten
from airflow_agari_provider.s3.objects import StoredObject

STORED = StoredObject("scored", "hour=5/it's.avro", "e1", None, 10, datetime(2016, 4, 28, tzinfo=UTC))
ID = Column("id", "id", "long")
AT = Column("at", "at", "instant", precision=3)
TARGET = Target("mail.scored", (ID, AT))
REDSHIFT = RedshiftDialect(SimpleNamespace(paramstyle="format"))
SNOWFLAKE = SnowflakeDialect(SimpleNamespace(paramstyle="pyformat"))


def test_redshift_copies_an_object():
    assert REDSHIFT.copy_sql(TARGET, STORED, "arn:aws:iam::1:role/r") == (
        'COPY "mail"."scored" ("id", "at") FROM \'s3://scored/hour=5/it\'\'s.avro\' '
        "IAM_ROLE 'arn:aws:iam::1:role/r' FORMAT AS AVRO 'auto' TIMEFORMAT 'epochmillisecs' MAXERROR 0"
    )
    assert " IAM_ROLE default FORMAT" in REDSHIFT.copy_sql(TARGET, STORED, "default")


def test_snowflake_copies_an_object():
    assert SNOWFLAKE.copy_sql(TARGET, STORED, "mail.scored_stage") == (
        'COPY INTO "mail"."scored" FROM @"mail"."scored_stage" FILES = (\'hour=5/it\'\'s.avro\') '
        "FILE_FORMAT = (TYPE = AVRO) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT"
    )


@pytest.mark.parametrize("dialect", [REDSHIFT, SNOWFLAKE], ids=["Redshift", "Snowflake"])
@pytest.mark.parametrize(
    "target",
    [
        pytest.param(Target("t", (ID,), ("id",)), id="upsert"),
        pytest.param(Target("t", (Column("id", "number", "long"),)), id="another name"),
        pytest.param(Target("t", (Column("value", None, "long"),)), id="no record"),
    ],
)
def test_what_a_copy_cannot_do_is_refused(dialect, target):
    with pytest.raises(NotByCopy):
        dialect.copy_sql(target, STORED, "x")
    with pytest.raises(NotByCopy):
        dialect.load(None, target, [])


def test_times_that_redshift_would_misread_are_refused():
    """It takes one unit for all timestamps of a file."""
    with pytest.raises(UnsupportedAvroType, match="'at'"):
        REDSHIFT.copy_sql(Target("t", (Column("at", "at", "instant", precision=6),)), STORED, "default")


class Answers:
    """A connection that gives prepared answers and keeps what it was asked."""

    def __init__(self, names: list[str], rows: list[tuple[Any, ...]]) -> None:
        self.description = [(name,) for name in names]
        self.rows = rows
        self.asked: list[str] = []
        self.rowcount = -1

    def cursor(self) -> Answers:
        return self

    def execute(self, sql: str, parameters: Any = ()) -> None:
        self.asked.append(sql)

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.rows

    def close(self) -> None:
        pass


def test_the_rows_are_those_that_the_database_counts():
    redshift = Answers(["pg_last_copy_count"], [(7,)])
    assert REDSHIFT.copy(redshift, TARGET, STORED, "default") == 7
    assert redshift.asked[1] == "SELECT pg_last_copy_count()"
    loaded = Answers(["file", "status", "rows_parsed", "rows_loaded"], [("f", "LOADED", 7, 7)])
    assert SNOWFLAKE.copy(loaded, TARGET, STORED, "stage") == 7
    before = Answers(["status"], [("Copy executed with 0 files processed.",)])
    assert SNOWFLAKE.copy(before, TARGET, STORED, "stage") == 0


def test_an_object_that_was_overwritten_or_deleted_meanwhile_is_told(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="a.avro", Body=b"x")["ETag"].strip('"')
    stored = StoredObject(bucket, "a.avro", etag, None, 1, datetime(2016, 4, 28, tzinfo=UTC))
    require_unchanged(s3, stored)
    s3.put_object(Bucket=bucket, Key="a.avro", Body=b"y")
    with pytest.raises(ObjectOverwritten):
        require_unchanged(s3, stored)
    s3.delete_object(Bucket=bucket, Key="a.avro")
    with pytest.raises(ObjectOverwritten):
        require_unchanged(s3, stored)
