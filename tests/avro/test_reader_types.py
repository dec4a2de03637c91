"""A value of a file by the reader's type, by hand. ``avro_import/test_reader_types.py`` has all pairs, in databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from math import inf
from uuid import UUID

import pytest

from airflow_agari_provider.avro.reader_types import as_float, conversion, exact_decimal, meaning, mismatch, value_of


def logical(kind, name, **more):
    return {"type": kind, "logicalType": name, **more}


def decimal(precision, scale=0):
    return logical("bytes", "decimal", precision=precision, scale=scale)


DATE, TIME_MS, TIME_US = logical("int", "date"), logical("int", "time-millis"), logical("long", "time-micros")
MILLIS, MICROS, NANOS = (logical("long", f"timestamp-{unit}") for unit in ("millis", "micros", "nanos"))
LOCAL = logical("long", "local-timestamp-micros")
UUIDS = logical("string", "uuid")
SIXTEEN = {"type": "fixed", "name": "f", "size": 16, "logicalType": "uuid"}
NUMBER = UUID("550e8400-e29b-41d4-a716-446655440000")


@pytest.mark.parametrize(
    ("kind", "means"),
    [
        ("long", None),
        ({"type": "long"}, None),
        (logical("long", "żółw"), None),
        (logical("string", "date"), None),
        (DATE, "date"),
        (TIME_MS, "time"),
        (TIME_US, "time"),
        (MILLIS, "timestamp"),
        (NANOS, "timestamp"),
        (LOCAL, "timestamp"),
        (decimal(4, 2), "decimal"),
        (UUIDS, "uuid"),
        ({"type": "fixed", "name": "d", "size": 12, "logicalType": "duration"}, "duration"),
    ],
    ids=str,
)
def test_a_logical_type_means_something_only_on_its_own_type(kind, means):
    assert meaning(kind) == means


@pytest.mark.parametrize(
    ("written", "wanted", "plain", "value"),
    [
        ("int", "long", 2**31 - 1, 2**31 - 1),
        ("long", "double", 2**53, 2.0**53),
        ("int", "float", 16777217, 16777216.0),
        ("string", "bytes", "ü", b"\xc3\xbc"),
        ("bytes", "string", b"\xc3\xbc", "ü"),
        ("int", DATE, 0, date(1970, 1, 1)),
        (DATE, "long", 16832, 16832),
        ("long", MILLIS, -1, datetime(1969, 12, 31, 23, 59, 59, 999000, UTC)),
        (MILLIS, MICROS, 5, datetime(1970, 1, 1, 0, 0, 0, 5000, UTC)),
        (MICROS, MILLIS, 5000, datetime(1970, 1, 1, 0, 0, 0, 5000, UTC)),
        (NANOS, MICROS, -3000, datetime(1969, 12, 31, 23, 59, 59, 999997, UTC)),
        (MILLIS, NANOS, 5, 5_000_000),
        (MILLIS, LOCAL, 5, datetime(1970, 1, 1, 0, 0, 0, 5000)),
        (TIME_MS, TIME_US, 86_399_999, time(23, 59, 59, 999000)),
        (decimal(4, 2), decimal(6, 3), (1234).to_bytes(2, "big"), Decimal("12.340")),
        (decimal(4, 2), decimal(6, 3), b"\xff", Decimal("-0.010")),
        (decimal(4, 2), decimal(4, 2), b"", Decimal("0.00")),
        (decimal(4, 2), "bytes", b"\x04\xd2", b"\x04\xd2"),
        (UUIDS, SIXTEEN, str(NUMBER), NUMBER),
        ("string", UUIDS, str(NUMBER).upper(), NUMBER),
        (SIXTEEN, SIXTEEN, NUMBER.bytes, NUMBER),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_is_kept_when_its_type_changes(written, wanted, plain, value):
    found = conversion(written, wanted)(plain)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("written", "wanted", "plain", "says"),
    [
        (MICROS, MILLIS, 1, "1 of 1/1000000 second cannot be a timestamp-millis without rounding"),
        (MILLIS, NANOS, 2**62, "is too large for a timestamp-nanos"),
        ("int", DATE, 2**31 - 1, "day 2147483647 from 1970 is not in the years 1 to 9999"),
        ("int", DATE, -(2**31), "is not in the years 1 to 9999"),
        ("long", MICROS, 2**63 - 1, "as timestamp-micros is not in the years 1 to 9999"),
        ("int", TIME_MS, 86_400_000, "86400000 is not a time-millis, because it is not within a day"),
        ("long", TIME_US, -1, "-1 is not a time-micros"),
        ("bytes", "string", b"\xff", "invalid start byte"),
        ("string", UUIDS, "żółw", "is not a UUID"),
        ("bytes", decimal(4, 2), (12345).to_bytes(2, "big"), "the decimal 123.45 has more than the 4 digits"),
        ("bytes", decimal(4, 2), b"\x7f" * 9999, "the decimal of 9999 bytes has more than the 4 digits"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_value_that_the_type_cannot_hold_is_an_error_and_never_rounded(written, wanted, plain, says):
    with pytest.raises(ValueError, match=says):
        conversion(written, wanted)(plain)


@pytest.mark.parametrize(
    ("written", "wanted", "says"),
    [
        (DATE, TIME_MS, "date in the file and time-millis in reader_schema"),
        (MILLIS, TIME_US, "timestamp-millis in the file and time-micros"),
        (decimal(4, 2), "string", "a decimal in the file and a string in reader_schema"),
        (decimal(4, 2), decimal(4, 3), r"does not fit into decimal\(4, 3\)"),
        (decimal(4, 2), decimal(9, 1), r"does not fit into decimal\(9, 1\)"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_two_meanings_do_not_fit(written, wanted, says):
    with pytest.raises(ValueError, match=f"it is .*{says}"):
        conversion(written, wanted)


@pytest.mark.parametrize(
    ("written", "wanted"),
    [("long", MILLIS), (MILLIS, "long"), (MILLIS, NANOS), (decimal(4, 2), decimal(5, 3)), (decimal(4, 2), "bytes")],
    ids=str,
)
def test_and_these_do(written, wanted):
    assert mismatch(written, wanted) is None


@pytest.mark.parametrize("number", [0.1, -0.0, 3.4028234663852886e38, inf])
def test_a_float_has_the_digits_of_32_bits(number):
    assert as_float(as_float(number)) == as_float(number)
    assert as_float(0.1) == 0.10000000149011612


def test_a_number_that_is_too_large_for_32_bits_is_not_made_infinite():
    with pytest.raises(OverflowError):
        as_float(1e39)


def test_a_decimal_without_a_scale_is_whole_and_has_its_digits_whatever_the_thread_s_context():
    assert exact_decimal(logical("bytes", "decimal", precision=38), (10**38 - 1).to_bytes(16, "big")) == 10**38 - 1
    with pytest.raises(ValueError, match="has more than the 38 digits"):
        exact_decimal(logical("bytes", "decimal", precision=38), (10**38).to_bytes(16, "big"))


def test_a_plain_type_needs_no_conversion():
    assert value_of("long") is None
    assert value_of(logical("long", "żółw")) is None
    assert conversion("long", "long")(5) == 5
