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

    @property
    def boundless(self) -> bool:
        """Whether it has arrays of items that take no byte: a block of some bytes could claim any number of them."""
        return any(self._boundless(kind) for kind in [self.definition, *self.named.values()])

    def _boundless(self, kind: Any) -> bool:
        if isinstance(kind, dict) and kind["type"] == "array" and self._takes_no_byte(kind["items"]):
            return True
        return any(self._boundless(part) for part in _parts(kind))

    def _takes_no_byte(self, kind: Any, within: tuple[str, ...] = ()) -> bool:
        kind = self.resolved(kind)
        if not isinstance(kind, dict):
            return bool(kind == "null")
        if kind["type"] == "fixed":
            return bool(kind["size"] == 0)
        if kind["type"] not in ("record", "error") or kind["name"] in within:
            return False
        return all(self._takes_no_byte(field["type"], (*within, kind["name"])) for field in kind["fields"])

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

    Its defaults are left out: reading does not need them, and some writers put down defaults of a wrong type. A decimal
    without a precision is the bytes that it is made of. (Avro 1.12, "Logical Types": invalid ones are to be ignored.)

    :param source: name of the file for errors.
    :raises BadAvro: no valid schema.
    """
    try:
        parsed = _parsed(without_defaults(schema))
        if parsed.boundless:
            raise BadAvro(
                source, 0, "it has arrays of items that take no bytes, of which a byte could claim any number"
            )
    except _invalid() as error:
        raise BadAvro(source, 0, f"the schema in its header is not valid ({error})") from error
    return parsed


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
    """The schema without the defaults of its records' fields, and without decimals that do not say their precision."""
    if isinstance(schema, list):
        return [without_defaults(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: without_defaults(schema[key]) for key in ("type", "items", "values") if key in schema}
    if isinstance(schema.get("fields"), list):
        inner["fields"] = [_without_default(field) for field in schema["fields"]]
    if schema.get("logicalType") == "decimal" and "precision" not in schema:
        schema = {key: value for key, value in schema.items() if key != "logicalType"}
    return schema | inner


def _without_default(field: Any) -> Any:
    if not isinstance(field, dict):
        return field
    return {
        key: without_defaults(value) if key == "type" else value for key, value in field.items() if key != "default"
    }


def _short(schema: Any) -> Any:
    """The schema with names for ``{"type": name}``: Avro's C library writes every type so, null in unions too."""
    if isinstance(schema, list):
        return [_short(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    if set(schema) == {"type"}:
        return _short(schema["type"])
    inner = {key: _short(schema[key]) for key in ("type", "items", "values") if key in schema}
    if isinstance(schema.get("fields"), list):
        inner["fields"] = [_short_field(field) for field in schema["fields"]]
    return schema | inner


def _short_field(field: Any) -> Any:
    return field | {"type": _short(field["type"])} if isinstance(field, dict) and "type" in field else field


def _parsed(schema: Any) -> AvroSchema:
    import fastavro

    schema = _short(schema)
    named: dict[str, Any] = {}
    return AvroSchema(schema, fastavro.parse_schema(schema, named), named)


def _invalid() -> tuple[type[Exception], ...]:
    from fastavro.schema import SchemaParseException, UnknownType

    return SchemaParseException, UnknownType, KeyError, TypeError, ValueError, AttributeError, RecursionError
