"""
Finds types of an existing table that would silently round or cut an Avro value.

What a database refuses by itself, such as a number beyond an integer's range, is not checked here.
Sources: PostgreSQL 15 documentation, chapter 8; MySQL 8.0 reference manual, chapter 11; SQLite, "Datatypes In SQLite".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from airflow_agari_provider.avro.columns import Column, Kind, UnsupportedAvroType
from airflow_agari_provider.databases.base import Target

TEXT_FOR_BYTES = "which would store the text of a UUID instead of its bytes"
NAME_BYTES = 63  # of PostgreSQL's type "name"
_TYPE = re.compile(r"(?P<name>[a-z0-9 \"]*[a-z0-9\"])\s*(?:\((?P<one>\d+)(?:,\s*(?P<two>-?\d+))?\))?(?P<suffix>.*)")


def require_lossless(target: Target, declared: Mapping[str, str], microseconds: int, affinities: bool) -> None:
    """
    Refuse a column whose type in the table would silently change values.

    :param declared: type of each column of the table as the database spells it, in lower case.
    :param microseconds: how many digits of a fraction of a second a time without a precision keeps.
    :param affinities: whether the types are SQLite's, which only state a preference for a kind of value.
    :raises UnsupportedAvroType: for the first such column.
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

    :param one: the first number in parentheses; None if there is no number.
    :param two: the second number in parentheses; 0 if there is no second number.
    :param microseconds: how many digits of a fraction of a second it keeps if none are declared. Only MySQL has 0,
        so this tells it apart.
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
        """Whether it holds a date and a time, with or without a time zone."""
        return self.name.startswith(("timestamp", "datetime"))

    @property
    def time(self) -> bool:
        return self.name.startswith("time") and not self.moment


def _loss(column: Column, declared: str, microseconds: int) -> str | None:
    match = _TYPE.match(declared)
    if match is None:
        return None
    name = f"{match['name']}{match['suffix']}".strip()
    one = None if match["one"] is None else int(match["one"])
    kind = _Type(name, one, int(match["two"] or 0), microseconds)
    rule = _RULES.get(column.kind)
    return _of_any(column, kind) or (rule(column, kind) if rule else None)


Rule = Callable[[Column, _Type], "str | None"]


def _of_any(column: Column, kind: _Type) -> str | None:
    """Types that are for one kind of value, and silently change other kinds."""
    if kind.name == '"char"':
        return "which keeps only one byte"
    if kind.name == "year":
        return "which turns 16 into 2016"
    if kind.name.startswith("bit") and column.kind != "boolean":
        return "which stores numbers as bits"
    if (
        kind.name == "name"
        and column.kind in ("text", "bytes", "json")
        and (column.length or NAME_BYTES + 1) > NAME_BYTES
    ):
        return f"which cuts after {NAME_BYTES} bytes"
    if kind.name == "binary" and column.kind in ("text", "bytes", "json") and column.length != (kind.one or 1):
        return "which adds zero bytes at the end"
    if kind.name == "money" and column.kind in ("decimal", "float", "double", "text"):
        return "which rounds to its smallest unit, such as a cent"
    return None


def _number(kind: _Type) -> str | None:
    if kind.name == "date" or kind.moment or kind.time or kind.name.startswith("interval"):
        return "which reads numbers as dates or times"
    if kind.name.startswith(("enum(", "set(")):
        return "which reads numbers as positions of its members"
    return None


def _decimal(column: Column, kind: _Type) -> str | None:
    if kind.floating:
        return f"which rounds decimals of {column.precision} digits"
    if (kind.bounded_decimal and kind.two < column.scale) or (kind.integer and column.scale):
        return f"which rounds the {column.scale} digits after the decimal point"
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
    return "which cannot hold a date" if kind.time else None


def _moment(column: Column, kind: _Type) -> str | None:
    if kind.name == "date" or (kind.time and column.kind != "time"):
        return "which cuts off the date or the time"
    if kind.moment and column.kind == "time":
        return "which adds a date that is made up"
    if (kind.moment or kind.time) and _fraction(kind) < (column.precision or 6):
        return "which rounds fractions of a second"
    return None


def _fraction(kind: _Type) -> int:
    return kind.microseconds if kind.one is None else kind.one


def _bytes(column: Column, kind: _Type) -> str | None:
    return "which adds or drops spaces at the end" if kind.name in ("char", "character", "bpchar") else None


def _text(column: Column, kind: _Type) -> str | None:
    if kind.bounded_decimal or kind.floating or (kind.of_mysql and (kind.integer or kind.name.startswith("decimal"))):
        return "which rounds numbers that are written as text"
    if kind.name == "date" or kind.time or (kind.moment and (kind.of_mysql or "with time" not in kind.name)):
        return "which cuts off a part of times that are written as text"
    if kind.moment and _fraction(kind) < 6:
        return "which rounds fractions of a second"
    if kind.name == "boolean" or kind.name.startswith("set("):
        return "which stores different texts as the same value"
    return _bytes(column, kind)


def _uuid(column: Column, kind: _Type) -> str | None:
    return TEXT_FOR_BYTES if kind.name == "bytea" or kind.name.endswith(("blob", "binary")) else None


_RULES: Mapping[Kind, Rule] = {
    "decimal": _decimal, "float": _float, "double": _float, "integer": _whole, "long": _whole, "date": _date,
    "instant": _moment, "local_time": _moment, "time": _moment, "bytes": _bytes, "text": _text, "uuid": _uuid,
}  # fmt: skip


def _sqlite_loss(column: Column, declared: str) -> str | None:
    """Return the loss by the column's affinity: rules 1 to 5 of "Determination Of Column Affinity"."""
    as_number = "int" in declared or not any(word in declared for word in ("char", "clob", "text", "blob"))
    if declared and as_number and column.kind in ("text", "decimal"):
        return "which turns texts that look like numbers into numbers"
    if not as_number and declared and column.kind in ("float", "double") and "blob" not in declared:
        return "which keeps only 15 digits of a number"
    if "int" not in declared and any(word in declared for word in ("real", "floa", "doub")) and column.kind == "long":
        return "which rounds large whole numbers"
    if "blob" in declared and column.kind == "uuid":
        return TEXT_FOR_BYTES
    return None
