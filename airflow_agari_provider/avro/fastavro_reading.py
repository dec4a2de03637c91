"""What fastavro is given to read by: schemas in which the types that it reads otherwise than they mean are ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, InvalidOperation, Overflow, Rounded
from functools import cache
from typing import Any
from uuid import UUID

from airflow_agari_provider.avro.columns import UUID_BYTES
from airflow_agari_provider.avro.schemas import AvroSchema

# What fastavro raises for bytes that do not fit the schema. (ValueError covers invalid UTF-8, ArithmeticError dates
# beyond the year 9999.)
MISFITS = (EOFError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)
# Our names of logical types: fastavro rounds decimals of more digits than they declare, and has no UUID of 16 bytes.
EXACT_DECIMAL, BINARY_UUID = "agari-exact-decimal", "agari-binary-uuid"
MAX_SHOWN_BYTES = 40  # of a decimal; that is some 96 digits


def reader_of(schema: AvroSchema) -> Callable[..., Any]:
    """fastavro's reader; for values nested without end the slow one, where the compiled one overflows the C stack."""
    if schema.recursive:
        from fastavro._read_py import schemaless_reader
    else:
        from fastavro import schemaless_reader
    reader: Callable[..., Any] = schemaless_reader
    return reader


def in_record(field: str, kind: Any) -> Any:
    """
    A record of nothing but that field, which is encoded as the field itself: fastavro keeps what it parsed with records
    only.

    :param kind: of the field, with names as the file has them.
    """
    import fastavro
    from fastavro.read import LOGICAL_READERS

    LOGICAL_READERS[f"bytes-{EXACT_DECIMAL}"] = LOGICAL_READERS[f"fixed-{EXACT_DECIMAL}"] = _exact_decimal
    LOGICAL_READERS[f"fixed-{BINARY_UUID}"] = _uuid
    fields = [{"name": field, "type": _with_our_types(kind)}]
    return fastavro.parse_schema({"type": "record", "name": "AgariBlock", "fields": fields})


def unconverted(schema: Any) -> Any:
    """The schema without logical types: a value beyond their range is a number all the same."""
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
    The schema without the logical types of a record's other fields: what a number that nobody asked for means does not
    matter. (Those of named types stay: another field may be of that type.)
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
    """:raises ValueError: it has more digits than the schema says."""
    precision, scale = writer_schema["precision"], writer_schema.get("scale", 0)
    digits, number = _digits(precision), int.from_bytes(data, "big", signed=True)
    if number.bit_length() <= 4 * precision:  # beyond that it is not even worth the conversion
        try:
            return digits.create_decimal(number).scaleb(-scale, digits)
        except Rounded:
            pass
    value = f"of {len(data)} bytes" if len(data) > MAX_SHOWN_BYTES else Decimal(number).scaleb(-scale, _digits(100))
    raise ValueError(f"the decimal {value} has more than the {precision} digits that the schema declares")


def _uuid(data: bytes, writer_schema: Any = None, reader_schema: Any = None) -> UUID:
    return UUID(bytes=data)
