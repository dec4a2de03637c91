"""Avro schemas: parsed once, with every type that they name at hand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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

    @property
    def recursive(self) -> bool:
        """Whether a value may hold values of its own type, and so be nested without end."""
        held = {name: set(self._held(_parts(definition))) for name, definition in self.named.items()}
        for name, found in held.items():
            todo = list(found)
            while todo:
                more = held[todo.pop()] - found
                found |= more
                todo += more
            if name in found:
                return True
        return False

    def _held(self, kinds: Iterable[Any]) -> Iterator[str]:
        """Names of the types that values hold, of any of the kinds."""
        for kind in kinds:
            name = kind.get("name") if isinstance(kind, dict) else kind
            if isinstance(name, str) and name in self.named:
                yield name
            else:
                yield from self._held(_parts(kind))

    def resolved(self, kind: Any) -> Any:
        """The definition behind a reference to a named type; anything else as it is."""
        return self.named.get(kind, kind) if isinstance(kind, str) else kind


def _parts(kind: Any) -> list[Any]:
    """The kinds that a kind is made of, one step down."""
    if isinstance(kind, list):
        return kind
    if not isinstance(kind, dict):
        return []
    return [kind[part] for part in ("items", "values") if part in kind] + [
        field["type"] for field in kind.get("fields", [])
    ]


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
