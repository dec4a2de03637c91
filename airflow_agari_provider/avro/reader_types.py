"""
What a value of a file means by the type of ``reader_schema``: the plain value is read first, then that type is applied.

A plain long that is read as timestamp-millis counts milliseconds, and a date that is read as a plain int is its number.
If both schemas have a logical type, the value is kept: 5 of time-millis is 5000 of time-micros, and decimal(4, 2) 12.34
is decimal(6, 3) 12.340. Java's library would take the number as it is there, and be wrong by the factor.
Source: Avro 1.12 specification, "Logical Types" and "Schema Resolution".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal, InvalidOperation, Overflow, Rounded
from functools import cache, partial
from struct import pack, unpack
from typing import Any
from uuid import UUID

from airflow_agari_provider.avro.columns import Kind, logical_kind
from airflow_agari_provider.avro.legacy_calendar import rebased_day, sure_moment
from airflow_agari_provider.exceptions import cut

Convert = Callable[[Any], Any]
MAX_SHOWN_BYTES = 40  # of a decimal; that is about 96 digits
EPOCH_DAY = date(1970, 1, 1).toordinal()
DAY_MICROS = 86_400_000_000
PER_SECOND = {"millis": 1000, "micros": 1_000_000, "nanos": 1_000_000_000}


def meaning(kind: Any) -> str | None:
    """Return what a logical type means: date, time, timestamp, decimal, uuid or duration; None without one."""
    if isinstance(kind, str) or not (logical := kind.get("logicalType")):
        return None
    if logical.rpartition("-")[2] in PER_SECOND:
        return "time" if logical.startswith("time-") else "timestamp"
    return str(logical) if logical == "duration" or logical_kind(kind) else None


def type_name(kind: Any) -> str:
    return str(kind if isinstance(kind, str) else kind["type"])


def mismatch(written: Any, wanted: Any) -> str | None:
    """
    Return why one logical type cannot be resolved to another one, as the end of a clause; None if it can.

    :param written: type in the file.
    :param wanted: type of the same or a larger plain type in the reader's schema.
    """
    meant, wanted_meaning = meaning(written), meaning(wanted)
    if meant == "decimal" and type_name(wanted) == "string":
        return "a decimal in the file and a string in reader_schema"
    if meant is None or wanted_meaning is None:
        return None
    if meant != wanted_meaning:
        return f"{written['logicalType']} in the file and {wanted['logicalType']} in reader_schema"
    if meant != "decimal":
        return None
    (digits, scale), (wanted_digits, wanted_scale) = (
        (one["precision"], one.get("scale", 0)) for one in (written, wanted)
    )
    if scale > wanted_scale or digits - scale > wanted_digits - wanted_scale:
        return (
            f"a decimal({digits}, {scale}) in the file, which does not fit into decimal({wanted_digits}, "
            f"{wanted_scale}) in reader_schema"
        )
    return None


def conversion(written: Any, wanted: Any, legacy_calendar: bool = False) -> Convert:
    """
    Return the function from a plain value of the file to a value of the reader's type.

    It raises a ValueError for a value that the reader's type cannot hold.

    :param written: type in the file, which can be resolved to ``wanted``.
    :param legacy_calendar: whether Spark wrote the value by its legacy calendar.
    """
    if problem := mismatch(written, wanted):
        raise ValueError(f"it is {problem}")
    corrected = _corrected(written) if legacy_calendar else None
    steps = [
        step
        for step in (corrected, _promotion(written, wanted), _in_units_of(written, wanted), value_of(wanted))
        if step
    ]
    if len(steps) < 2:
        return steps[0] if steps else lambda plain: plain

    def convert(plain: Any) -> Any:
        for step in steps:
            plain = step(plain)
        return plain

    return convert


def _corrected(written: Any) -> Convert | None:
    if meaning(written) == "date":
        return rebased_day
    return partial(sure_moment, _per_second(written["logicalType"])) if meaning(written) == "timestamp" else None


def _promotion(written: Any, wanted: Any) -> Convert | None:
    pair = type_name(written), type_name(wanted)
    if pair[0] in ("int", "long") and pair[1] in ("float", "double"):
        return as_float if pair[1] == "float" else float
    if pair == ("string", "bytes"):
        return str.encode
    return bytes.decode if pair == ("bytes", "string") else None


def as_float(number: float) -> float:
    """
    Return a number as a float of 32 bits holds it; a double column would show the difference.

    :raises OverflowError: it is too large.
    """
    return float(unpack("<f", pack("<f", number))[0])  # the native form would make it infinite


def _in_units_of(written: Any, wanted: Any) -> Convert | None:
    """Return what makes plain values of one logical type those of another one with the same meaning."""
    if meaning(written) is None or meaning(wanted) is None:
        return None
    if meaning(wanted) == "decimal":
        factor = 10 ** (wanted.get("scale", 0) - written.get("scale", 0))
        return None if factor == 1 else partial(_longer_decimal, factor)
    per_second, wanted_per_second = (
        PER_SECOND.get(one["logicalType"].rpartition("-")[2], 1) for one in (written, wanted)
    )
    if per_second == wanted_per_second:
        return None
    return partial(_in_other_unit, per_second, wanted_per_second, wanted["logicalType"])


def _per_second(logical: str) -> int:
    return PER_SECOND.get(logical.rpartition("-")[2], 1)


def _longer_decimal(factor: int, data: bytes) -> bytes:
    number = int.from_bytes(data, "big", signed=True) * factor
    return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


def _in_other_unit(per_second: int, wanted_per_second: int, logical: str, number: int) -> int:
    whole, rest = divmod(number * wanted_per_second, per_second)
    if rest:
        raise ValueError(f"{number} of 1/{per_second} second cannot be a {logical} without rounding")
    if not -(2**63) <= whole < 2**63:
        raise ValueError(f"{number} of 1/{per_second} second is too large for a {logical}")
    return whole


def value_of(kind: Any) -> Convert | None:
    """Return what makes values of a type from plain ones; None if they are the plain ones."""
    if isinstance(kind, str) or (meant := logical_kind(kind)) is None:
        return None
    return partial(_VALUES[meant], kind)


def _date(kind: Any, days: int) -> date:
    try:
        return date.fromordinal(EPOCH_DAY + days)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"day {days} from 1970 is not in the years 1 to 9999") from error


def _micros(kind: Any, number: int) -> int:
    return number * 1000 if kind["logicalType"].endswith("-millis") else number


def time_of(kind: Any, number: int) -> time:
    """:raises ValueError: the number is not within a day."""
    micros = _micros(kind, number)
    if not 0 <= micros < DAY_MICROS:
        raise ValueError(f"{number} is not a {kind['logicalType']}, because it is not within a day")
    return (datetime.min + timedelta(microseconds=micros)).time()


def _moment(zone: Any, kind: Any, number: int) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=zone) + timedelta(microseconds=_micros(kind, number))
    except OverflowError as error:
        raise ValueError(f"{number} as {kind['logicalType']} is not in the years 1 to 9999") from error


def _uuid(kind: Any, data: str | bytes) -> UUID:
    try:
        return UUID(data) if isinstance(data, str) else UUID(bytes=data)
    except ValueError as error:
        raise ValueError(f"{cut(repr(data), 80)} is not a UUID") from error


def exact_decimal(kind: Any, data: bytes) -> Decimal:
    """:raises ValueError: the decimal has more digits than its type declares."""
    precision, scale = kind["precision"], kind.get("scale", 0)
    digits, number = _digits(precision), int.from_bytes(data, "big", signed=True)
    if number.bit_length() <= 4 * precision:  # a longer one has too many digits: do not even convert it
        try:
            return digits.create_decimal(number).scaleb(-scale, digits)
        except Rounded:
            pass
    value = f"of {len(data)} bytes" if len(data) > MAX_SHOWN_BYTES else Decimal(number).scaleb(-scale, _digits(100))
    raise ValueError(f"the decimal {value} has more than the {precision} digits that the schema declares")


@cache
def _digits(precision: int) -> Context:
    return Context(prec=precision, traps=[Rounded, InvalidOperation, Overflow])


_VALUES: Mapping[Kind, Callable[[Any, Any], Any]] = {
    "decimal": exact_decimal,
    "uuid": _uuid,
    "date": _date,
    "time": time_of,
    "instant": partial(_moment, UTC),
    "local_time": partial(_moment, None),
}
