"""Avro schemas: parsed once, together with the definition of every named type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from airflow_agari_provider.avro.schema_shape import Shape, parts
from airflow_agari_provider.avro.sound_schema import short, without_defaults
from airflow_agari_provider.exceptions import BadAvro, cut

MAX_DEPTH = 100  # types within types; each takes a few frames of the stack
# Parts of one value that take no bytes, such as nulls: 30 records that name each other can make a billion of them.
MAX_EMPTIES = 1000
MAX_FIXED_BYTES = 2**31 - 1  # Java's limit
PRIMITIVES = ("null", "boolean", "int", "long", "float", "double", "bytes", "string")


@dataclass(frozen=True)
class AvroSchema:
    """
    A parsed schema.

    :param raw: the schema as it is in JSON.
    :param definition: the same schema, with references to named types by full name.
    :param named: definition of each named type.
    :param legacy_calendar: whether Spark wrote the records by its legacy calendar.
    """

    raw: Any
    definition: Any
    named: Mapping[str, Any]
    legacy_calendar: bool = False

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


def parse_writer_schema(schema: Any, source: str, legacy_calendar: bool = False) -> AvroSchema:
    """
    Parse the schema that a file was written with.

    Its defaults are left out: reading does not need them, and some writers write defaults of a wrong type. A decimal
    without a valid precision and scale becomes its plain bytes.

    :param source: name of the file for errors.
    :param legacy_calendar: whether Spark wrote the file by its legacy calendar.
    :raises BadAvro: the schema is not valid, or a few bytes of such a file could fill the memory.
    """
    try:
        parsed = _parsed(without_defaults(schema))
        if problem := _boundless(parsed.shape):
            raise BadAvro(source, 0, problem)
    except _invalid() as error:
        raise BadAvro(source, 0, f"the schema in its header is not valid ({error})") from error
    return replace(parsed, legacy_calendar=legacy_calendar)


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
        parsed = _parsed(schema)
        _require_flat_unions(parsed.definition)
    except _invalid() as error:
        raise ValueError(f"reader_schema is not a valid Avro schema: {error}") from error
    return parsed


def _require_flat_unions(kind: Any) -> None:
    for part in parts(kind):
        if isinstance(kind, list) and isinstance(part, list):
            raise ValueError("a union is directly within another one")
        _require_flat_unions(part)


def reparsed(schema: AvroSchema, raw: Any) -> AvroSchema:
    """Return another schema of the same file."""
    return replace(_parsed(raw), legacy_calendar=schema.legacy_calendar)


def _parsed(schema: Any) -> AvroSchema:
    import fastavro

    schema = short(schema)
    named: dict[str, Any] = {}
    parsed = AvroSchema(schema, fastavro.parse_schema(schema, named), named)
    for name, definition in named.items():
        _require_names(name, definition)
        size = definition.get("size", 0)
        if type(size) is not int or not 0 <= size <= MAX_FIXED_BYTES:
            raise ValueError(f"type {name!r} has the size {cut(repr(size), 40)}")
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
