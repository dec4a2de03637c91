"""
Types of an existing table that would keep an Avro value only rounded or cut, without a word from the database.

What a database refuses by itself, such as a number beyond an integer's range, is not here.
Sources: PostgreSQL 15 documentation, chapter 8; MySQL 8.0 reference manual, chapter 11; SQLite, "Datatypes In SQLite".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from airflow_agari_provider.avro.columns import Column, Kind, UnsupportedAvroType
from airflow_agari_provider.loaders.base import Target

_TYPE = re.compile(r"(?P<name>[a-z0-9 ]*[a-z0-9])\s*(?:\((?P<one>\d+)(?:,\s*(?P<two>\d+))?\))?(?P<behind>.*)")

TEXT_FOR_BYTES = "which would take the text of a UUID for its bytes"


def require_lossless(target: Target, declared: Mapping[str, str], microseconds: int, affinities: bool) -> None:
    """
    Refuse a column whose type in the table would change values in silence.

    :param declared: type of each of the table's columns as the database spells it, in lower case.
    :param microseconds: digits behind the second that times without a precision keep.
    :param affinities: whether types are SQLite's, which only say what a value should rather be.
    :raises UnsupportedAvroType: the first such column.
    """
    folded = {name.casefold(): kind for name, kind in declared.items()}
    for column in target.columns:
        if (kind := declared.get(column.name, folded.get(column.name.casefold()))) is None:
            continue
        loss = _sqlite_loss(column, kind) if affinities else _loss(column, kind, microseconds)
        if loss:
            raise UnsupportedAvroType(column.name, f"the table has it as {kind}, {loss}")


def _loss(column: Column, declared: str, microseconds: int) -> str | None:
    match = _TYPE.match(declared)
    if match is None:
        return None
    name = f"{match['name']}{match['behind']}".strip()
    one = None if match["one"] is None else int(match["one"])
    rule = _RULES.get(column.kind)
    return rule(column, name, one, int(match["two"] or 0), microseconds) if rule else None


Rule = Callable[[Column, str, "int | None", int, int], "str | None"]


def _decimal(column: Column, name: str, one: int | None, two: int, microseconds: int) -> str | None:
    if name.startswith(("real", "double", "float")):
        return f"which rounds decimals of {column.precision} digits"
    bounded = name.startswith(("numeric", "decimal")) and one is not None
    if (bounded and two < column.scale) or (_is_integer(name) and column.scale):
        return f"which rounds the {column.scale} digits behind the point"
    return None


def _float(column: Column, name: str, one: int | None, two: int, microseconds: int) -> str | None:
    if name.startswith(("real", "float")) and column.kind == "double":
        return "which rounds to 32 bits"
    if (name.startswith(("numeric", "decimal")) and one is not None) or _is_integer(name):
        return "which rounds fractions"
    return None


def _whole(column: Column, name: str, one: int | None, two: int, microseconds: int) -> str | None:
    if name.startswith(("real", "float")) or (name.startswith("double") and column.kind == "long"):
        return "which rounds large whole numbers"
    return None


def _moment(column: Column, name: str, one: int | None, two: int, microseconds: int) -> str | None:
    if name == "date" or (name.startswith("time") and not name.startswith("timestamp") and column.kind != "time"):
        return "which cuts off a part of the moment"
    if name.startswith(("time", "datetime")) and (microseconds if one is None else one) < (column.precision or 6):
        return "which rounds fractions of a second"
    return None


def _text(column: Column, name: str, one: int | None, two: int, microseconds: int) -> str | None:
    if name in ("char", "character", "bpchar") and column.kind == "text":
        return "which adds or drops spaces at the end"
    return None


def _uuid(column: Column, name: str, one: int | None, two: int, microseconds: int) -> str | None:
    return TEXT_FOR_BYTES if name == "bytea" or name.endswith(("blob", "binary")) else None


def _is_integer(name: str) -> bool:
    return name.split()[0] in ("integer", "int", "bigint", "smallint", "tinyint", "mediumint")


_RULES: Mapping[Kind, Rule] = {
    "decimal": _decimal, "float": _float, "double": _float, "integer": _whole, "long": _whole, "instant": _moment,
    "local_time": _moment, "time": _moment, "text": _text, "uuid": _uuid,
}  # fmt: skip


def _sqlite_loss(column: Column, declared: str) -> str | None:
    """By affinity; rules 1 to 5 of "Determination Of Column Affinity"."""
    as_number = "int" in declared or not any(word in declared for word in ("char", "clob", "text", "blob"))
    if declared and as_number and column.kind in ("text", "decimal"):
        return "which makes numbers of texts that look like numbers"
    if "int" not in declared and any(word in declared for word in ("real", "floa", "doub")) and column.kind == "long":
        return "which rounds large whole numbers"
    if "blob" in declared and column.kind == "uuid":
        return TEXT_FOR_BYTES
    return None
