"""Avro schemas: parsed once, together with the definition of every named type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_agari_provider.avro.schema_shape import Shape
from airflow_agari_provider.exceptions import BadAvro

MAX_DEPTH = 100  # types within types; each takes a few frames of the stack
# Parts of one value that take no bytes, such as nulls: 30 records that name each other can make a billion of them.
MAX_EMPTIES = 1000
PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")
PARSED_MARKS = ("__fastavro_parsed", "__named_schemas")  # fastavro would accept a schema with these unchecked


@dataclass(frozen=True)
class AvroSchema:
    """
    A parsed schema.

    :param raw: the schema as it is in JSON.
    :param definition: the same schema, with references to named types by full name.
    :param named: definition of each named type.
    """

    raw: Any
    definition: Any
    named: Mapping[str, Any]

    @cached_property
    def shape(self) -> Shape:
        return Shape(self.definition, self.named)

    @property
    def recursive(self) -> bool:
        """Whether a value may hold values of its own type, and so be nested without limit."""
        return self.shape.recursive

    def resolved(self, kind: Any) -> Any:
        """Return the definition of a type that is given by its name; return anything else as it is."""
        return self.named.get(kind, kind) if isinstance(kind, str) else kind


def parse_writer_schema(schema: Any, source: str) -> AvroSchema:
    """
    Parse the schema that a file was written with.

    Its defaults are left out: reading does not need them, and some writers write defaults of a wrong type. A decimal
    without a precision becomes its plain bytes. (Avro 1.12, "Logical Types": invalid ones are to be ignored.)

    :param source: name of the file for errors.
    :raises BadAvro: the schema is not valid, or a few bytes of such a file could fill the memory.
    """
    try:
        parsed = _parsed(without_defaults(schema))
        if problem := _boundless(parsed.shape):
            raise BadAvro(source, 0, problem)
    except _invalid() as error:
        raise BadAvro(source, 0, f"the schema in its header is not valid ({error})") from error
    return parsed


def _boundless(shape: Shape) -> str | None:
    """Return why a few bytes could fill the memory, as a clause; None if they cannot."""
    if shape.boundless:
        return "its schema has arrays of items that take no bytes, so that a few bytes could claim any number of them"
    if shape.whole.depth > MAX_DEPTH:
        return f"its schema has {shape.whole.depth} types within each other; the limit is {MAX_DEPTH}"
    if shape.empties > MAX_EMPTIES:
        return f"its schema has values of {shape.empties} parts that take no bytes; the limit is {MAX_EMPTIES}"
    return None


def parse_reader_schema(schema: Any) -> AvroSchema:
    """
    Parse the schema that a user wants to read the records as.

    :raises ValueError: the schema is not valid.
    """
    try:
        return _parsed(schema)
    except _invalid() as error:
        raise ValueError(f"reader_schema is not a valid Avro schema: {error}") from error


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


def _short(schema: Any) -> Any:
    """
    Return the schema in a short form.

    ``{"type": name}`` becomes the name: Avro's C library writes every type in braces, null in unions too. fastavro's
    marks are left out. Decimals that do not say their precision lose their logical type.
    """
    if isinstance(schema, list):
        return [_short(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if set(schema) == {"type"}:
        return _short(schema["type"])
    inner = {key: _short(schema[key]) for key in ("type", "items", "values") if key in schema}
    if isinstance(schema.get("fields"), list):
        inner["fields"] = [_short_field(field) for field in schema["fields"]]
    left_out = (*PARSED_MARKS, "logicalType") if _without_precision(schema) else PARSED_MARKS
    return {key: value for key, value in schema.items() if key not in left_out} | inner


def _without_precision(schema: Mapping[str, Any]) -> bool:
    return schema.get("logicalType") == "decimal" and "precision" not in schema


def _short_field(field: Any) -> Any:
    return field | {"type": _short(field["type"])} if isinstance(field, dict) and "type" in field else field


def _parsed(schema: Any) -> AvroSchema:
    import fastavro

    schema = _short(schema)
    named: dict[str, Any] = {}
    parsed = AvroSchema(schema, fastavro.parse_schema(schema, named), named)
    for name, definition in named.items():
        _require_names(name, definition)
    return parsed


def _require_names(name: str, definition: Any) -> None:
    """
    Check the names that a type has and uses. Avro itself allows fewer names, but some writers do not keep to that.

    :raises ValueError: a name stands for two things, or for nothing.
    """
    if name in PRIMITIVES:  # a reference could mean either type
        raise ValueError(f"a type is named {name!r}, like a primitive type")
    fields = [field["name"] for field in definition.get("fields", [])]
    for field, times in Counter(fields).items():
        if not isinstance(field, str) or not field or times > 1:
            raise ValueError(f"type {name!r} has {times} field(s) named {field!r}")
        field.encode()


def _invalid() -> tuple[type[Exception], ...]:
    from fastavro.schema import SchemaParseException, UnknownType

    return SchemaParseException, UnknownType, KeyError, TypeError, ValueError, AttributeError, RecursionError
