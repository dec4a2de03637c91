"""
Avro schemas for the Arrow decoder, which is datafusion's: fast, but it supports far less than Avro allows.

It gets schemas of our own making, which describe the same bytes under plain names. They leave out every logical type
that it would convert differently from fastavro; those values we convert ourselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from airflow_agari_provider.avro.columns import logical_kind
from airflow_agari_provider.avro.schemas import AvroSchema

MAX_DECIMAL_DIGITS = 38  # of Arrow's decimal128
MAX_DECIMAL_BYTES = 16
MAX_TYPES = 10_000  # 30 records that name each other would become a billion types


class NotForArrow(ValueError):
    """
    Arrow cannot decode a file, so that only fastavro can.

    :param problem: why Arrow cannot, as a clause.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


def plain_schema(schema: AvroSchema, kind: Any) -> Any:
    """
    Return a schema of the same bytes: fields named ``f0``, ``f1`` and so on, enums as numbers, times as numbers.

    :param kind: type of the values, as the schema has it.
    :raises NotForArrow: Arrow has no equivalent of a type.
    """
    if schema.recursive:
        raise NotForArrow("the schema has records that hold records of their own type")
    return _plain(schema, kind, itertools.count())


def _plain(schema: AvroSchema, kind: Any, numbers: Iterator[int]) -> Any:
    number = next(numbers)
    if number >= MAX_TYPES:
        raise NotForArrow(f"the schema has more than {MAX_TYPES} types, if each is counted every time it is named")
    kind = schema.resolved(kind)
    if isinstance(kind, list):
        if len(kind) != 2 or kind.count("null") != 1:
            raise NotForArrow(f"the schema has a union of {len(kind)} types")
        return [branch if branch == "null" else _plain(schema, branch, numbers) for branch in kind]
    name = kind if isinstance(kind, str) else kind["type"]
    if name in ("record", "error"):
        return {"type": "record", "name": f"n{number}", "fields": _plain_fields(schema, kind, numbers)}
    if name == "array":
        return {"type": "array", "items": _plain(schema, kind["items"], numbers)}
    if name == "map":
        return {"type": "map", "values": _plain(schema, kind["values"], numbers)}
    if name == "enum":
        return "int"
    plain = {"type": "fixed", "name": f"n{number}", "size": kind["size"]} if name == "fixed" else {"type": name}
    return plain | _kept_logical_type(kind)


def _plain_fields(schema: AvroSchema, kind: Any, numbers: Iterator[int]) -> list[Any]:
    if not kind["fields"]:
        raise NotForArrow("the schema has a record without fields")
    return [
        {"name": f"f{position}", "type": _plain(schema, field["type"], numbers)}
        for position, field in enumerate(kind["fields"])
    ]


def _kept_logical_type(kind: Any) -> dict[str, Any]:
    logical = logical_kind(kind)
    if logical == "uuid":
        return {"logicalType": "uuid"} if kind["type"] == "string" else {}
    if logical != "decimal":
        return {}
    precision, size = kind["precision"], kind.get("size", 0)
    if precision > MAX_DECIMAL_DIGITS or size > MAX_DECIMAL_BYTES:
        raise NotForArrow(f"the schema has a decimal of {precision} digits")
    return {"logicalType": "decimal", "precision": precision, "scale": kind.get("scale", 0)}
