"""The schemas by which fastavro reads: types that it would not read as Avro means them get a logical type of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, InvalidOperation, Overflow, Rounded
from functools import cache
from typing import Any
from uuid import UUID

from airflow_agari_provider.avro.columns import UUID_BYTES
from airflow_agari_provider.avro.schemas import AvroSchema

# What fastavro raises for bytes that do not fit the schema. (ValueError covers invalid UTF-8, ArithmeticError covers
# dates after the year 9999.)
MISFITS = (EOFError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)
# Our own logical types: fastavro rounds decimals that have more digits than they declare, and has no UUID of 16 bytes.
EXACT_DECIMAL, BINARY_UUID = "agari-exact-decimal", "agari-binary-uuid"
MAX_SHOWN_BYTES = 40  # of a decimal; that is about 96 digits


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
    LOGICAL_READERS[f"fixed-{BINARY_UUID}"] = _uuid
    fields = [{"name": field, "type": _with_our_types(kind)}]
    return fastavro.parse_schema({"type": "record", "name": "AgariBlock", "fields": fields})


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
    elif kind.get("logicalType") == "uuid" and kind.get("type") == "fixed" and kind["size"] == UUID_BYTES:
        inner["logicalType"] = BINARY_UUID
    return kind | inner


@cache
def _digits(precision: int) -> Context:
    return Context(prec=precision, traps=[Rounded, InvalidOperation, Overflow])


def _exact_decimal(data: bytes, writer_schema: Any = None, reader_schema: Any = None) -> Any:
    """:raises ValueError: the decimal has more digits than the schema declares."""
    precision, scale = writer_schema["precision"], writer_schema.get("scale", 0)
    digits, number = _digits(precision), int.from_bytes(data, "big", signed=True)
    if number.bit_length() <= 4 * precision:  # a longer one has too many digits: do not even convert it
        try:
            return digits.create_decimal(number).scaleb(-scale, digits)
        except Rounded:
            pass
    value = f"of {len(data)} bytes" if len(data) > MAX_SHOWN_BYTES else Decimal(number).scaleb(-scale, _digits(100))
    raise ValueError(f"the decimal {value} has more than the {precision} digits that the schema declares")


def _uuid(data: bytes, writer_schema: Any = None, reader_schema: Any = None) -> UUID:
    return UUID(bytes=data)
