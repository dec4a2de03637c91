"""Avro schemas: parsed once, with every type that they name at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.exceptions import BadAvro


@dataclass(frozen=True)
class AvroSchema:
    """
    :param raw: the schema as JSON has it.
    :param definition: the same with references to named types by full name.
    :param named: definition of each type that it names.
    """

    raw: Any
    definition: Any
    named: Mapping[str, Any]

    def resolved(self, kind: Any) -> Any:
        """The definition behind a reference to a named type; anything else as it is."""
        return self.named.get(kind, kind) if isinstance(kind, str) else kind


def parse_writer_schema(schema: Any, source: str) -> AvroSchema:
    """
    Schema that a file was written with.

    Its defaults are left out: reading does not need them, and some writers put down defaults of a wrong type.

    :param source: name of the file for errors.
    :raises BadAvro: no valid schema.
    """
    try:
        return _parsed(without_defaults(schema))
    except _invalid() as error:
        raise BadAvro(source, 0, f"the schema in its header is not valid ({error})") from error


def parse_reader_schema(schema: Any) -> AvroSchema:
    """
    Schema that a user wants to read.

    :raises ValueError: no valid schema.
    """
    try:
        return _parsed(schema)
    except _invalid() as error:
        raise ValueError(f"reader_schema is no valid Avro schema: {error}") from error


def without_defaults(schema: Any) -> Any:
    """The schema without the defaults of its records' fields."""
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


def _parsed(schema: Any) -> AvroSchema:
    import fastavro

    named: dict[str, Any] = {}
    return AvroSchema(schema, fastavro.parse_schema(schema, named), named)


def _invalid() -> tuple[type[Exception], ...]:
    from fastavro.schema import SchemaParseException, UnknownType

    return SchemaParseException, UnknownType, KeyError, TypeError, ValueError, AttributeError, RecursionError
