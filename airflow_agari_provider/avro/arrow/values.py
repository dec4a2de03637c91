"""
Convert Arrow arrays of plain values to arrays of the types that the schema means.

Values that fastavro would refuse are not converted: they raise :class:`Unfit`, and then fastavro reports them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from airflow_agari_provider.avro.columns import Kind, kind_of
from airflow_agari_provider.avro.schemas import AvroSchema

# Seconds from 1970 to the first moment that Python's datetime has, and to the first moment after its last.
FIRST_SECOND, END_SECOND = -62_135_596_800, 253_402_300_800
DAY_SECONDS = 86_400


class Unfit(ValueError):
    """
    A value that is left to fastavro, which refuses it or holds it differently from Arrow.

    :param problem: what is wrong, as a clause.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def typed(schema: AvroSchema, kind: Any, array: Any) -> Any:
    """
    Return the values in the type that the schema means: timestamps as timestamps, enums as text.

    :param kind: type of the values, as the schema has it; not a record, array or map.
    :param array: the values as Arrow decodes them by the type's :func:`plain_schema`.
    :raises Unfit: a value is beyond what the type may hold.
    """
    kind = only_branch(schema, kind)
    if isinstance(kind, dict) and kind["type"] == "enum":
        return _symbols(kind["symbols"], array)
    convert = _CONVERSIONS.get(kind_of(kind))
    return convert(array, kind) if convert else array


def only_branch(schema: AvroSchema, kind: Any) -> Any:
    """Return the type of the values that are not null."""
    kind = schema.resolved(kind)
    if isinstance(kind, list):
        (kind,) = (schema.resolved(branch) for branch in kind if branch != "null")
    return kind


def content(array: Any) -> bytes:
    """Return the bytes of all values of a text array, one after the other."""
    if not len(array):
        return b""
    offsets = memoryview(array.buffers()[1]).cast("i")
    first, last = offsets[array.offset], offsets[array.offset + len(array)]
    return bytes(memoryview(array.buffers()[2])[first:last]) if last > first else b""


def python_values(array: Any, kind: Kind) -> list[Any]:
    """Return the values of a typed array as fastavro gives them."""
    if kind in ("instant", "local_time"):
        return _moments(array)
    values: list[Any] = array.to_pylist()
    if kind == "uuid":
        return [None if value is None else UUID(bytes=value) for value in values]
    if kind == "json":
        return [None if value is None else json.loads(value) for value in values]
    return values


def _moments(array: Any) -> list[Any]:
    """Convert moments to datetimes: pyarrow's own conversion needs pytz or a database of time zones."""
    import pyarrow as pa

    epoch = datetime(1970, 1, 1, tzinfo=UTC if array.type.tz else None)
    micros = array.cast(pa.timestamp("us", array.type.tz)).view("int64")
    return [None if value is None else epoch + timedelta(microseconds=value) for value in micros.to_pylist()]


def _symbols(symbols: list[str], array: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    _require_range(array, 0, len(symbols))
    return pc.take(pa.array(symbols, "string"), array)


def _require_range(array: Any, first: int, end: int) -> None:
    import pyarrow.compute as pc

    least, most = pc.min_max(array).values()
    if least.is_valid and not (first <= least.as_py() and most.as_py() < end):
        raise Unfit("a number is beyond its type")


def _moment(unit: str, zone: str | None) -> Callable[[Any], Any]:
    def convert(array: Any) -> Any:
        import pyarrow as pa

        each = 1000 if unit == "ms" else 1_000_000
        _require_range(array, FIRST_SECOND * each, END_SECOND * each)
        return array.view(pa.timestamp(unit, zone)).cast(pa.timestamp("us", zone))

    return convert


def _instants(array: Any, kind: Any) -> Any:
    return _moment("ms" if kind["logicalType"].endswith("millis") else "us", "UTC")(array)


def _local_times(array: Any, kind: Any) -> Any:
    return _moment("ms" if kind["logicalType"].endswith("millis") else "us", None)(array)


def _times(array: Any, kind: Any) -> Any:
    import pyarrow as pa

    if kind["logicalType"] == "time-millis":
        _require_range(array, 0, DAY_SECONDS * 1000)
        return array.view(pa.time32("ms")).cast(pa.time64("us"))
    _require_range(array, 0, DAY_SECONDS * 1_000_000)
    return array.view(pa.time64("us"))


def _dates(array: Any, kind: Any) -> Any:
    import pyarrow as pa

    _require_range(array, FIRST_SECOND // DAY_SECONDS, END_SECOND // DAY_SECONDS)
    return array.view(pa.date32())


def _decimals(array: Any, kind: Any) -> Any:
    import pyarrow as pa

    try:
        array.validate(full=True)  # no value has more digits than the schema says
    except pa.ArrowInvalid as error:
        raise Unfit(str(error)) from error
    return array


def _texts(array: Any, kind: Any) -> Any:
    if 0 in content(array):
        raise Unfit("a text has a zero byte")
    return array


def _bytes(array: Any, kind: Any) -> Any:
    import pyarrow as pa

    return array.cast(pa.binary())


def _nulls(array: Any, kind: Any) -> Any:
    import pyarrow as pa

    return pa.nulls(len(array), pa.string())


_CONVERSIONS: Mapping[Kind, Callable[[Any, Any], Any]] = {
    "null": _nulls,
    "bytes": _bytes,
    "text": _texts,
    "decimal": _decimals,
    "date": _dates,
    "time": _times,
    "instant": _instants,
    "local_time": _local_times,
}
