"""
Arrow arrays of plain values to those of the types that the schema means, and nested ones to JSON text.

Nothing is converted that fastavro would refuse: such values raise, so that fastavro names them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from airflow_agari_provider.avro.columns import Kind, kind_of
from airflow_agari_provider.avro.schemas import AvroSchema

# Seconds from 1970 to the first and behind the last moment that Python's datetime has.
FIRST_SECOND, END_SECOND = -62_135_596_800, 253_402_300_800
DAY_SECONDS = 86_400
# Bytes that JSON writes with a backslash.
ESCAPED = b'"\\' + bytes(range(0x20))


class Unfit(ValueError):
    """A value for fastavro to decide about: it refuses it, or holds it otherwise than Arrow would."""


def typed(schema: AvroSchema, kind: Any, array: Any) -> Any:
    """
    Values as their type means them: timestamps as such, enums as text, records, arrays and maps as JSON text.

    :param kind: of the values, as the schema has it.
    :param array: as :func:`plain_schema` of the kind has them.
    :raises Unfit: a value beyond what the type may hold.
    """
    kind = schema.resolved(kind)
    if isinstance(kind, list):
        (kind,) = (schema.resolved(branch) for branch in kind if branch != "null")
    meant = kind_of(kind)
    if meant == "json":
        return json_text(schema, kind, array)
    if isinstance(kind, dict) and kind["type"] == "enum":
        return _symbols(kind["symbols"], array)
    convert = _CONVERSIONS.get(meant)
    return convert(array, kind) if convert else array


def json_text(schema: AvroSchema, kind: Any, array: Any) -> Any:
    """JSON text of each value, null for each null; the text has the form that :func:`json_texts` gives."""
    import pyarrow.compute as pc

    kind = schema.resolved(kind)
    if isinstance(kind, list):
        (kind,) = (schema.resolved(branch) for branch in kind if branch != "null")
    name = kind if isinstance(kind, str) else kind["type"]
    if name in ("record", "error"):
        return _record_text(schema, kind, array)
    if name == "array":
        items = _member_text(schema, kind["items"], array.values)
        return _enclosed("[", _joined(array, items), "]")
    if name == "map":
        members = _element_wise('"', _escaped(array.keys), '":', _member_text(schema, kind["values"], array.items))
        return _enclosed("{", _joined(array, members), "}")
    values = typed(schema, kind, array)
    meant = kind_of(kind)
    if meant in ("boolean", "integer", "long"):
        return pc.cast(values, "string")
    if meant in ("float", "double"):
        return _number_text(values)
    if meant == "text":
        return _enclosed('"', _escaped(values), '"')
    if meant == "decimal":
        return _enclosed('"', pc.cast(values, "string"), '"')
    return _python_text(values, meant)


def _record_text(schema: AvroSchema, kind: Any, array: Any) -> Any:
    import pyarrow.compute as pc

    parts: list[Any] = []
    for position, field in enumerate(kind["fields"]):
        parts += [_key(field["name"], position), _member_text(schema, field["type"], array.field(position))]
    text = _element_wise(*parts, "}")
    return pc.if_else(pc.is_valid(array), text, None) if array.null_count else text


def _key(name: str, position: int) -> str:
    return ("," if position else "{") + json.dumps(name, ensure_ascii=False) + ":"


def _member_text(schema: AvroSchema, kind: Any, array: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if schema.resolved(kind) == "null":
        return pa.repeat("null", len(array))
    text = json_text(schema, kind, array)
    return pc.fill_null(text, "null") if text.null_count else text


def _joined(array: Any, members: Any) -> Any:
    """The members of each list or map, with commas between; ``members`` are those of the array's whole buffer."""
    import pyarrow as pa
    import pyarrow.compute as pc

    mask = pc.is_null(array) if array.null_count else None
    return pc.binary_join(pa.ListArray.from_arrays(array.offsets, members, mask=mask), ",")


def _enclosed(before: str, text: Any, behind: str) -> Any:
    return _element_wise(before, text, behind)


def _element_wise(*parts: Any) -> Any:
    import pyarrow.compute as pc

    return pc.binary_join_element_wise(*parts, "")


def content(array: Any) -> bytes:
    """The bytes of all values of a text array, one behind the other."""
    if not len(array):
        return b""
    offsets = memoryview(array.buffers()[1]).cast("i")
    first, last = offsets[array.offset], offsets[array.offset + len(array)]
    return bytes(memoryview(array.buffers()[2])[first:last]) if last > first else b""


def _escaped(array: Any) -> Any:
    import pyarrow as pa

    data = content(array)
    if len(data.translate(None, ESCAPED)) == len(data):
        return array
    if 0 in data:
        raise Unfit("text with a zero byte")
    return pa.array(
        [None if value is None else json.dumps(value, ensure_ascii=False)[1:-1] for value in array.to_pylist()],
        "string",
    )


def _number_text(array: Any) -> Any:
    """As Python writes them; PostgreSQL's jsonb tells 1.0 from 1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pc.cast(array, "float64")
    if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
        raise Unfit("a number that is none")
    text = pc.cast(numbers, "string")
    if b"e" in content(text):
        return pa.array([None if value is None else repr(value) for value in numbers.to_pylist()], "string")
    whole = pc.equal(pc.floor(numbers), numbers)
    if pc.any(whole).as_py():  # some of these have their .0 already
        bare = pc.and_(whole, pc.invert(pc.match_substring(text, ".")))
        text = pc.if_else(bare, pc.binary_join_element_wise(text, ".0", ""), text)
    return text


def _python_text(array: Any, meant: Kind) -> Any:
    """Of kinds that are rare inside of other values."""
    import pyarrow as pa

    texts = [None if value is None else _JSON_TEXTS[meant](value) for value in python_values(array, meant)]
    return pa.array([None if text is None else json.dumps(text, ensure_ascii=False) for text in texts], "string")


def python_values(array: Any, kind: Kind) -> list[Any]:
    """Values of a typed array as fastavro has them."""
    if kind in ("instant", "local_time"):
        return _moments(array)
    values: list[Any] = array.to_pylist()
    if kind == "uuid":
        return [None if value is None else UUID(bytes=value) for value in values]
    if kind == "json":
        return [None if value is None else json.loads(value) for value in values]
    return values


def _moments(array: Any) -> list[Any]:
    """pyarrow's own conversion asks for pytz or a database of time zones."""
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
        raise Unfit("a number beyond its type")


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
        array.validate(full=True)  # as many digits as the schema says
    except pa.ArrowInvalid as error:
        raise Unfit(str(error)) from error
    return array


def _texts(array: Any, kind: Any) -> Any:
    if 0 in content(array):
        raise Unfit("text with a zero byte")
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
_JSON_TEXTS: Mapping[Kind, Callable[[Any], str]] = {
    "bytes": lambda value: str(value, "latin-1"),
    "uuid": str,
    "date": lambda value: str(value.isoformat()),
    "time": lambda value: str(value.isoformat()),
    "instant": lambda value: str(value.isoformat()),
    "local_time": lambda value: str(value.isoformat()),
}
