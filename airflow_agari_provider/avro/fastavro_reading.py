"""The schemas by which fastavro reads: types that it would not read as Avro means them get a logical type of ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from io import BytesIO
from typing import Any
from uuid import UUID

from airflow_agari_provider.avro.columns import UUID_BYTES
from airflow_agari_provider.avro.reader_defaults import set_defaults
from airflow_agari_provider.avro.reader_types import Convert, conversion, exact_decimal, time_of
from airflow_agari_provider.avro.resolution import promotions
from airflow_agari_provider.avro.schema_shape import parts
from airflow_agari_provider.avro.schemas import AvroSchema
from airflow_agari_provider.exceptions import cut

# What fastavro raises for bytes that do not fit the schema. (ValueError covers invalid UTF-8, ArithmeticError covers
# dates after the year 9999.)
MISFITS = (EOFError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)
# Our own logical types: fastavro rounds decimals that have more digits than they declare, reads a time before midnight
# as another time, and has no UUID of 16 bytes.
# With a reader's schema it would convert by the file's type.
EXACT_DECIMAL, EXACT_TIME, BINARY_UUID = "agari-exact-decimal", "agari-exact-time", "agari-binary-uuid"
RESOLVED = "agari-resolved"
TIMES = (("int", "time-millis"), ("long", "time-micros"))


def reader_of(schema: AvroSchema) -> Callable[..., Any]:
    """
    Return fastavro's reader.

    For values that may be nested without limit it is the slow one: the compiled one would overflow the C stack.
    """
    if schema.recursive:
        from fastavro._read_py import schemaless_reader
    else:
        from fastavro import schemaless_reader
    reader: Callable[..., Any] = schemaless_reader
    return reader


def in_record(field: str, kind: Any) -> Any:
    """
    Return the schema of a record with only this field. Such a record is encoded as the field itself.

    It has to be a record, because fastavro keeps what it parsed only with records.

    :param kind: type of the field, with names as the file has them.
    """
    import fastavro
    from fastavro.read import LOGICAL_READERS

    LOGICAL_READERS[f"bytes-{EXACT_DECIMAL}"] = LOGICAL_READERS[f"fixed-{EXACT_DECIMAL}"] = _exact_decimal
    for plain, logical in TIMES:
        LOGICAL_READERS[f"{plain}-{EXACT_TIME}"] = _time_reader(logical)
    LOGICAL_READERS[f"fixed-{BINARY_UUID}"] = _uuid
    for name in _READ_AS:
        LOGICAL_READERS[f"{name}-{RESOLVED}"] = _resolved
    return fastavro.parse_schema(_record(field, _with_our_types(kind)))


def _record(field: str, kind: Any) -> Any:
    return {"type": "record", "name": "AgariBlock", "fields": [{"name": field, "type": kind}]}


def unconverted(schema: Any) -> Any:
    """Return the schema without logical types: a value beyond their range is still a number."""
    if isinstance(schema, list):
        return [unconverted(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: unconverted(value) if key in ("type", "items", "values", "fields") else value
        for key, value in schema.items()
        if key != "logicalType"
    }


def wanted_only(raw: Any, fields: Sequence[str | None]) -> Any:
    """
    Return the schema without the logical types of all fields except these.

    What a number means does not matter if its field is not asked for. (Named types keep their logical types: another
    field may be of that type.)
    """
    if not isinstance(raw, dict) or "fields" not in raw:
        return raw
    return raw | {
        "fields": [
            field if field["name"] in fields else field | {"type": _plain(field["type"])} for field in raw["fields"]
        ]
    }


def _plain(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_plain(part) for part in kind]
    if not isinstance(kind, dict) or kind["type"] in ("record", "error", "enum", "fixed"):
        return kind
    return {
        key: _plain(value) if key in ("items", "values") else value
        for key, value in kind.items()
        if key != "logicalType"
    }


def _with_our_types(kind: Any) -> Any:
    if isinstance(kind, list):
        return [_with_our_types(part) for part in kind]
    if not isinstance(kind, dict):
        return kind
    inner = {key: _with_our_types(value) for key, value in kind.items() if key in ("type", "items", "values", "fields")}
    if kind.get("logicalType") == "decimal":
        inner["logicalType"] = EXACT_DECIMAL
    elif (kind.get("type"), kind.get("logicalType")) in TIMES:
        inner["logicalType"] = EXACT_TIME
    elif kind.get("logicalType") == "uuid" and kind.get("type") == "fixed" and kind["size"] == UUID_BYTES:
        inner["logicalType"] = BINARY_UUID
    return kind | inner


def _exact_decimal(data: bytes, writer_schema: Any = None, reader_schema: Any = None) -> Any:
    return exact_decimal(writer_schema, data)


def _time_reader(logical: str) -> Callable[..., Any]:
    convert = partial(time_of, {"logicalType": logical})
    return lambda number, writer_schema=None, reader_schema=None: convert(number)


def _uuid(data: bytes, writer_schema: Any = None, reader_schema: Any = None) -> UUID:
    return UUID(bytes=data)


def _resolved(data: Any, writer_schema: Any = None, reader_schema: Any = None) -> Any:
    return writer_schema["resolver"].conversion(writer_schema, reader_schema)(data)


class _Resolver:
    """
    Converts the plain values of a file to values of the reader's types.

    :param reader: the reader's schema.
    :param legacy_calendar: whether Spark wrote the file by its legacy calendar.
    """

    def __init__(self, reader: AvroSchema, legacy_calendar: bool) -> None:
        self._reader = reader
        self._legacy_calendar = legacy_calendar
        self._known: dict[tuple[int, Any], Convert] = {}

    def conversion(self, written: Any, wanted: Any) -> Convert:
        """Both types are parts of parsed schemas, which live as long as this object; so their ids tell them apart."""
        key = id(written), wanted if isinstance(wanted, str) else id(wanted)
        if key not in self._known:
            self._known[key] = conversion(written["written"], self._reader.resolved(wanted), self._legacy_calendar)
        return self._known[key]


def schemas_of(
    field: str,
    writer: AvroSchema,
    reader: AvroSchema | None,
    fields: Sequence[str | None],
    each: Callable[[Any], Any] = lambda kind: kind,
) -> tuple[Any, Any]:
    """
    Return the schemas by which fastavro reads the records as the only field of a record: the file's, and the one to
    resolve them to or None.

    With two schemas it reads plain values, and converts them by the reader's types.

    :param fields: whose values are wanted.
    :param each: makes the type to read from the type of the records.
    """
    import fastavro

    if reader is None and writer.legacy_calendar:
        reader = writer
    if reader is None:
        return in_record(field, each(wanted_only(writer.raw, fields))), None
    wanted = wanted_only(reader.raw, fields)
    converted = {name for name, kinds in _READ_AS.items() if kinds & _logical_bases(wanted)}
    converted |= {name for name, wider in promotions(writer, reader) if wider == "float" and name != "float"}
    parsed = fastavro.parse_schema(_record(field, each(wanted)))
    set_defaults(reader, parsed)
    return in_record(field, each(_marked(writer.raw, converted, _Resolver(reader, writer.legacy_calendar)))), parsed


def why_not_decoded(read: Callable[..., Any], datum: bytes, schemas: tuple[Any, Any], error: Exception) -> str:
    """
    Return why a record does not decode: if a plain value is beyond its logical type, in our words and not in Python's.

    :param read: fastavro's reader.
    :param datum: the record, and what follows it.
    :param schemas: two schemas, by which plain values are converted; see :func:`schemas_of`.
    :param error: what fastavro raised.
    """
    from fastavro.read import SchemaResolutionError

    try:
        read(BytesIO(datum), *schemas)
    except (*MISFITS, SchemaResolutionError) as clear:
        if type(clear) is ValueError:  # fastavro raises subclasses
            return str(clear)
    if isinstance(error, SchemaResolutionError):
        return f"reader_schema has no place for it: {cut(str(error).removeprefix('Schema mismatch: '), 200)}"
    return repr(error)


# Plain types of a file, and those of the reader that they may be read as and that have logical types.
_READ_AS = {
    "int": {"int", "long"},
    "long": {"long"},
    "string": {"string", "bytes"},
    "bytes": {"bytes", "string"},
    "fixed": {"fixed"},
}


def _logical_bases(kind: Any) -> set[str]:
    """Return the plain types of all logical types in a schema."""
    own = {kind["type"]} if isinstance(kind, dict) and "logicalType" in kind else set()
    return own.union(*map(_logical_bases, parts(kind)))


def _marked(kind: Any, converted: Collection[str], resolver: _Resolver) -> Any:
    """
    Return the schema with a logical type of ours, for values to convert, in place of the logical types that it has.

    :param converted: plain types whose values are converted.
    """
    if isinstance(kind, list):
        return [_marked(branch, converted, resolver) for branch in kind]
    name = kind["type"] if isinstance(kind, dict) else kind
    if name in converted:
        plain = kind if isinstance(kind, dict) else {"type": kind}
        return plain | {"logicalType": RESOLVED, "written": kind, "resolver": resolver}
    if not isinstance(kind, dict):
        return kind
    inner = {key: _marked(kind[key], converted, resolver) for key in ("items", "values") if key in kind}
    if "fields" in kind:
        inner["fields"] = [field | {"type": _marked(field["type"], converted, resolver)} for field in kind["fields"]]
    return {key: value for key, value in kind.items() if key != "logicalType"} | inner
