"""
An Avro schema in one short form, so that everything after it meets only what the specification knows.

Writers add much to their schemas that means nothing, and some of it is invalid. What does not belong to a type is left
out, and so is a logical type that is not valid. (Avro 1.12, "Logical Types": implementations ignore an invalid one.)
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, inf, log10
from typing import Any, TypeGuard

PARSED_MARKS = ("__fastavro_parsed", "__named_schemas")  # fastavro would accept a schema with these unchecked
# Keys that describe the parts of a type, and the types that they belong to.
_PARTS: Mapping[str, tuple[str, ...]] = {
    "fields": ("record", "error"),
    "items": ("array",),
    "values": ("map",),
    "symbols": ("enum",),
    "size": ("fixed",),
}
_OF_LOGICAL_TYPES = ("logicalType", "precision", "scale")
# The logical types of Avro 1.12, by the types that they are for.
_LOGICAL: Mapping[str, tuple[str, ...]] = {
    "bytes": ("decimal",),
    "fixed": ("decimal", "uuid", "duration"),
    "string": ("uuid",),
    "int": ("date", "time-millis"),
    "long": (
        "time-micros",
        *(f"{local}timestamp-{unit}" for local in ("", "local-") for unit in ("millis", "micros", "nanos")),
    ),
}
_TYPES = ("null", "boolean", "float", "double", "record", "error", "enum", "array", "map", *_LOGICAL)


def short(schema: Any) -> Any:
    """
    Return the schema in the short form.

    ``{"type": name}`` becomes the name: Avro's C library writes every type in braces, null in unions too.
    """
    if isinstance(schema, list):
        return [short(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if isinstance(kind, dict | list) and "name" not in schema:
        return short(kind)  # what stands around it has no meaning
    if set(schema) == {"type"} or (isinstance(kind, str) and kind not in _TYPES):  # the name of a type
        return kind
    left_out = {*PARSED_MARKS, *(part for part, kinds in _PARTS.items() if kind not in kinds)}
    if not _has_valid_logical_type(schema):
        left_out |= {*_OF_LOGICAL_TYPES}
    inner = {key: short(schema[key]) for key in ("items", "values") if key in schema}
    if isinstance(schema.get("fields"), list):
        inner["fields"] = [_short_field(field) for field in schema["fields"]]
    return {key: value for key, value in (schema | inner).items() if key not in left_out}


def without_defaults(schema: Any) -> Any:
    """Return the schema without the defaults of its records' fields."""
    if isinstance(schema, list):
        return [without_defaults(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: without_defaults(schema[key]) for key in ("type", "items", "values") if key in schema}
    if isinstance(schema.get("fields"), list):
        inner["fields"] = [_without_default(field) for field in schema["fields"]]
    return schema | inner


def _without_default(field: Any) -> Any:
    if not isinstance(field, dict):
        return field
    return {
        key: without_defaults(value) if key == "type" else value for key, value in field.items() if key != "default"
    }


def _short_field(field: Any) -> Any:
    return field | {"type": short(field["type"])} if isinstance(field, dict) and "type" in field else field


def _has_valid_logical_type(schema: Mapping[str, Any]) -> bool:
    """Whether a type has a logical type, one that is for it, and for a decimal digits that its bytes can hold."""
    logical, kind = schema.get("logicalType"), schema.get("type")
    if not isinstance(kind, str) or logical not in _LOGICAL.get(kind, ()):
        return False
    if logical != "decimal":
        return True
    precision, scale = schema.get("precision"), schema.get("scale", 0)
    if not (_is_count(precision) and _is_count(scale) and 0 < precision <= _most_digits(schema)):
        return False
    return bool(scale <= precision)


def _most_digits(schema: Mapping[str, Any]) -> float:
    size = schema.get("size", 0)
    return inf if schema["type"] == "bytes" else floor(log10(2) * (8 * size - 1)) if _is_count(size) else 0


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
