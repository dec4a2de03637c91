from __future__ import annotations

import io
from datetime import UTC, date, datetime

import fastavro
import pytest

from airflow_agari_provider.avro.blocks import ContainerFile
from airflow_agari_provider.avro.columns import columns_of
from airflow_agari_provider.avro.decoders import DecoderChoice
from airflow_agari_provider.avro.legacy_calendar import EPOCH_DAY, rebased_day
from airflow_agari_provider.avro.schemas import parse_writer_schema
from airflow_agari_provider.exceptions import BadAvro

DATE = {"type": "int", "logicalType": "date"}
INSTANT = {"type": "long", "logicalType": "timestamp-micros"}


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (0, "1970-01-01"),
        (-141427, "1582-10-15"),
        (-141428, "1582-10-04"),
        (-354280, "1000-01-01"),
        (-171596, "1500-03-01"),  # 29 February 1500, which the calendar of today does not have
        (-171595, "1500-03-01"),
        (-171597, "1500-02-28"),
        (-719164, "0001-01-01"),
    ],
)
def test_a_day_keeps_its_name(days, name):
    """The numbers were computed by the formula for Julian day numbers, not by this package."""
    assert date.fromordinal(EPOCH_DAY + rebased_day(days)).isoformat() == name


def test_a_day_before_the_year_1_is_told():
    with pytest.raises(ValueError, match="before the year 1"):
        rebased_day(-719165)


def rows(kinds: dict[str, object], record: dict[str, int], refusal: str | None) -> list[tuple[object, ...]]:
    plain = {"type": "record", "name": "r", "fields": [{"name": name, "type": kind} for name, kind in kinds.items()]}
    stream = io.BytesIO()
    fastavro.writer(stream, plain, [record], metadata={"org.apache.spark.legacyDateTime": ""})
    stream.seek(0)
    file = ContainerFile(stream, "s3://b/k")
    writer = parse_writer_schema(file.schema, "s3://b/k", file.legacy_calendar)
    (batch,) = DecoderChoice("auto").batches(file, writer, None, columns_of(writer), refusal)
    return list(zip(*batch.columns, strict=True))


@pytest.mark.parametrize("refusal", [None, "no Arrow"])
def test_a_file_of_sparks_legacy_calendar_keeps_the_names_of_its_days(refusal):
    kinds = {"d": ["null", DATE], "l": {"type": "array", "items": DATE}, "t": INSTANT, "n": "int"}
    record = {"d": -354280, "l": [-354280], "t": 0, "n": 7}
    ((day, inner, at, number),) = rows(kinds, record, refusal)
    assert (day, at, number) == (date(1000, 1, 1), datetime(1970, 1, 1, tzinfo=UTC), 7)
    assert inner in ([date(1000, 1, 1)], ["1000-01-01"])


@pytest.mark.parametrize("refusal", [None, "no Arrow"])
def test_a_timestamp_before_1900_is_not_certain(refusal):
    with pytest.raises(BadAvro, match="datetimeRebaseModeInWrite=CORRECTED"):
        rows({"t": INSTANT}, {"t": -2_208_988_800_000_001}, refusal)
