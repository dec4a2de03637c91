"""
Types of an existing table that would keep an Avro value only rounded or cut, without a word from the database.

What a database refuses by itself, such as a number beyond an integer's range, is not here.
Sources: PostgreSQL 15 documentation, chapter 8; MySQL 8.0 reference manual, chapter 11; SQLite, "Datatypes In SQLite".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_agari_provider.avro.columns import Column, Kind, UnsupportedAvroType
from airflow_agari_provider.databases.base import Target

TEXT_FOR_BYTES = "which would take the text of a UUID for its bytes"
NAME_BYTES = 63  # of PostgreSQL's type "name"
_TYPE = re.compile(r"(?P<name>[a-z0-9 \"]*[a-z0-9\"])\s*(?:\((?P<one>\d+)(?:,\s*(?P<two>-?\d+))?\))?(?P<behind>.*)")


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


@dataclass(frozen=True)
class _Type:
    """
    A type as a table declares it.

    :param one: and ``two``: the numbers in parentheses; two is 0 where there is one or none.
    :param microseconds: digits behind the second that it keeps if none are declared; MySQL's 0 tells it apart.
    """

    name: str
    one: int | None
    two: int
    microseconds: int

    @property
    def of_mysql(self) -> bool:
        return not self.microseconds

    @property
    def integer(self) -> bool:
        return self.name.split()[0] in ("integer", "int", "bigint", "smallint", "tinyint", "mediumint")

    @property
    def bounded_decimal(self) -> bool:
        return self.name.startswith(("numeric", "decimal")) and self.one is not None

    @property
    def floating(self) -> bool:
        return self.name.startswith(("real", "double", "float"))

    @property
    def moment(self) -> bool:
        """A time as well as a date, with or without a zone."""
        return self.name.startswith(("timestamp", "datetime"))

    @property
    def time(self) -> bool:
        return self.name.startswith("time") and not self.moment


def _loss(column: Column, declared: str, microseconds: int) -> str | None:
    match = _TYPE.match(declared)
    if match is None:
        return None
    name = f"{match['name']}{match['behind']}".strip()
    one = None if match["one"] is None else int(match["one"])
    kind = _Type(name, one, int(match["two"] or 0), microseconds)
    rule = _RULES.get(column.kind)
    return _of_any(column, kind) or (rule(column, kind) if rule else None)


Rule = Callable[[Column, _Type], "str | None"]


def _of_any(column: Column, kind: _Type) -> str | None:
    """Types that are for one kind of value, and make something of others without a word."""
    if kind.name == '"char"':
        return "which keeps one byte"
    if kind.name == "year":
        return "which takes 16 for 2016"
    if kind.name.startswith("bit") and column.kind != "boolean":
        return "which takes numbers for bits"
    if (
        kind.name == "name"
        and column.kind in ("text", "bytes", "json")
        and (column.length or NAME_BYTES + 1) > NAME_BYTES
    ):
        return f"which cuts after {NAME_BYTES} bytes"
    if kind.name == "binary" and column.kind in ("text", "bytes", "json") and column.length != (kind.one or 1):
        return "which adds zero bytes at the end"
    if kind.name == "money" and column.kind in ("decimal", "float", "double", "text"):
        return "which rounds to its smallest coin"
    return None


def _number(kind: _Type) -> str | None:
    if kind.name == "date" or kind.moment or kind.time or kind.name.startswith("interval"):
        return "which takes numbers for times"
    if kind.name.startswith(("enum(", "set(")):
        return "which takes numbers for its members' places"
    return None


def _decimal(column: Column, kind: _Type) -> str | None:
    if kind.floating:
        return f"which rounds decimals of {column.precision} digits"
    if (kind.bounded_decimal and kind.two < column.scale) or (kind.integer and column.scale):
        return f"which rounds the {column.scale} digits behind the point"
    return _number(kind)


def _float(column: Column, kind: _Type) -> str | None:
    if kind.name.startswith(("real", "float")) and column.kind == "double":
        return "which rounds to 32 bits"
    if kind.bounded_decimal or kind.integer or (kind.floating and kind.one is not None):
        return "which rounds fractions"
    return _number(kind)


def _whole(column: Column, kind: _Type) -> str | None:
    if kind.name.startswith(("real", "float")) or (kind.name.startswith("double") and column.kind == "long"):
        return "which rounds large whole numbers"
    if kind.bounded_decimal and kind.two < 0:
        return "which rounds whole numbers"
    return _number(kind)


def _date(column: Column, kind: _Type) -> str | None:
    return "which has no room for a date" if kind.time else None


def _moment(column: Column, kind: _Type) -> str | None:
    if kind.name == "date" or (kind.time and column.kind != "time"):
        return "which cuts off a part of the moment"
    if kind.moment and column.kind == "time":
        return "which makes up a date"
    if (kind.moment or kind.time) and _fraction(kind) < (column.precision or 6):
        return "which rounds fractions of a second"
    return None


def _fraction(kind: _Type) -> int:
    return kind.microseconds if kind.one is None else kind.one


def _bytes(column: Column, kind: _Type) -> str | None:
    return "which adds or drops spaces at the end" if kind.name in ("char", "character", "bpchar") else None


def _text(column: Column, kind: _Type) -> str | None:
    if kind.bounded_decimal or kind.floating or (kind.of_mysql and (kind.integer or kind.name.startswith("decimal"))):
        return "which rounds texts of numbers"
    if kind.name == "date" or kind.time or (kind.moment and (kind.of_mysql or "with time" not in kind.name)):
        return "which cuts off a part of texts of times"
    if kind.moment and _fraction(kind) < 6:
        return "which rounds fractions of a second"
    if kind.name == "boolean" or kind.name.startswith("set("):
        return "which makes one value of several texts"
    return _bytes(column, kind)


def _uuid(column: Column, kind: _Type) -> str | None:
    return TEXT_FOR_BYTES if kind.name == "bytea" or kind.name.endswith(("blob", "binary")) else None


_RULES: Mapping[Kind, Rule] = {
    "decimal": _decimal, "float": _float, "double": _float, "integer": _whole, "long": _whole, "date": _date,
    "instant": _moment, "local_time": _moment, "time": _moment, "bytes": _bytes, "text": _text, "uuid": _uuid,
}  # fmt: skip


def _sqlite_loss(column: Column, declared: str) -> str | None:
    """By affinity; rules 1 to 5 of "Determination Of Column Affinity"."""
    as_number = "int" in declared or not any(word in declared for word in ("char", "clob", "text", "blob"))
    if declared and as_number and column.kind in ("text", "decimal"):
        return "which makes numbers of texts that look like numbers"
    if not as_number and declared and column.kind in ("float", "double") and "blob" not in declared:
        return "which keeps 15 digits of a number"
    if "int" not in declared and any(word in declared for word in ("real", "floa", "doub")) and column.kind == "long":
        return "which rounds large whole numbers"
    if "blob" in declared and column.kind == "uuid":
        return TEXT_FOR_BYTES
    return None
