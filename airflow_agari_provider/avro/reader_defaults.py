"""
The defaults of a reader's schema: the values that they mean.

JSON has fewer types than Avro, so a default is a plain value: bytes are a text with a character for each byte, and a
date is a number.
Source: Avro 1.12 specification, "Complex Types", table of field default values.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from airflow_agari_provider.avro.reader_types import as_float, type_name, value_of
from airflow_agari_provider.avro.schema_shape import parts
from airflow_agari_provider.avro.schemas import AvroSchema, parse_reader_schema

_BITS = {"int": 31, "long": 63}  # without the sign


def parsed_reader(schema: Any) -> AvroSchema:
    """
    Parse the schema that a user wants to read the records as, and check its defaults.

    :raises ValueError: the schema or a default is not valid.
    """
    reader = parse_reader_schema(schema)
    set_defaults(reader, deepcopy(reader.definition))
    return reader


def set_defaults(schema: AvroSchema, kind: Any) -> None:
    """
    Replace the defaults of all records' fields by the values that they mean.

    :param schema: that the names in ``kind`` are of.
    :param kind: a parsed type, with references to named types by full name.
    :raises ValueError: a default is not a value of its field.
    """
    for field in kind.get("fields", []) if isinstance(kind, dict) else []:
        if "default" in field:
            try:
                field["default"] = default_value(schema, field["type"], field["default"])
            except (ValueError, OverflowError) as error:
                problem = (
                    f"the default {field['default']!r} of field {field['name']!r} is not a value of its type ({error})"
                )
                raise ValueError(f"reader_schema is not a valid Avro schema: {problem}") from error
    for part in parts(kind):
        set_defaults(schema, part)


def default_value(schema: AvroSchema, kind: Any, default: Any) -> Any:
    """
    Return the value of a default, which JSON gives: bytes as a text with a character for each.

    :param kind: type of the field, as the schema has it.
    :raises ValueError: the default is not a value of the type.
    """
    kind = schema.resolved(kind)
    if isinstance(kind, list):
        return _of_a_branch(schema, kind, default)
    name = type_name(kind)
    if name in ("record", "error"):
        given = _of_type(default, dict)
        return {field["name"]: _of_field(schema, field, given) for field in kind["fields"]}
    if name == "array":
        return [default_value(schema, kind["items"], one) for one in _of_type(default, list)]
    if name == "map":
        return {key: default_value(schema, kind["values"], one) for key, one in _of_type(default, dict).items()}
    plain = _plain_default(name, kind, default)
    convert = value_of(kind)
    return convert(plain) if convert else plain


def _of_a_branch(schema: AvroSchema, branches: list[Any], default: Any) -> Any:
    problems = []
    for branch in branches:
        try:
            return default_value(schema, branch, default)
        except ValueError as error:
            problems.append(str(error))
    raise ValueError("; ".join(problems))


def _of_field(schema: AvroSchema, field: Any, given: Mapping[str, Any]) -> Any:
    if field["name"] not in given and "default" not in field:
        raise ValueError(f"{given!r} has no field {field['name']!r}")
    return default_value(schema, field["type"], given.get(field["name"], field.get("default")))


def _plain_default(name: str, kind: Any, default: Any) -> Any:
    if name == "null":
        return _of_type(default, type(None))
    if name == "boolean":
        return _of_type(default, bool)
    if name in ("int", "long"):
        if isinstance(default, bool) or not -(2 ** (_BITS[name])) <= _of_type(default, int) < 2 ** _BITS[name]:
            raise ValueError(f"{default!r} is not a {name}")
        return default
    if name in ("float", "double"):
        if isinstance(default, bool) or not isinstance(default, int | float):
            raise ValueError(f"{default!r} is not a {name}")
        return as_float(default) if name == "float" else float(default)
    text = _of_type(default, str)
    if name == "enum" and text not in kind["symbols"]:
        raise ValueError(f"{text!r} is not a symbol of {kind['name']}")
    data = text.encode("latin-1") if name in ("bytes", "fixed") else text
    if name == "fixed" and len(data) != kind["size"]:
        raise ValueError(f"{text!r} has {len(data)} bytes, not the {kind['size']} of {kind['name']}")
    return data


def _of_type(default: Any, needed: type) -> Any:
    if not isinstance(default, needed):
        raise ValueError(f"{default!r} is not of its type")
    return default
