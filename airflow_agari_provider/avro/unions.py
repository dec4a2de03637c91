"""
Which unions need the name of a value's branch in JSON: those with two branches whose values may have equal JSON.

Examples are a text and bytes, two records with the same fields, a map and a record, or an int and a double.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations, product
from typing import Any, Literal

from airflow_agari_provider.avro.columns import Kind, kind_of
from airflow_agari_provider.avro.schema_shape import parts
from airflow_agari_provider.avro.schemas import AvroSchema

Unions = Literal["auto", "tagged", "plain"]

_NUMBERS = ("integer", "long", "float", "double")  # many readers of JSON take 1 and 1.0 for the same
# Texts of a form of their own: no date reads like a time, or like a UUID.
_FORMS: tuple[Kind, ...] = ("decimal", "uuid", "date", "time", "instant", "local_time")


class UnionTags:
    """
    Decides which unions of a schema are tagged: a value then has the form ``{"<branch>": value}``, and null is null.

    :param unions: ``auto`` tags unions whose JSON would not tell the branch; ``tagged`` all unions of several types
        besides null; ``plain`` none.
    """

    def __init__(self, schema: AvroSchema, unions: Unions) -> None:
        self._schema = schema
        self._unions = unions
        self._tagged: dict[int, bool | None] = {}  # by the union's id; None while it is being decided
        self._tagged_forms: dict[int, list[Any]] = {}
        self._equal: dict[tuple[Any, Any], bool] = {}

    def resolved(self, kind: Any) -> Any:
        """Return the one definition of a type, so that each union is one object, wherever its record is named."""
        name = kind.get("name") if isinstance(kind, dict) else kind
        return self._schema.named.get(name, kind) if isinstance(name, str) else kind

    def tags(self, union: list[Any]) -> bool:
        """Whether a union is tagged."""
        return self._decided(union) is True

    def _decided(self, union: list[Any]) -> bool | None:
        if id(union) not in self._tagged:
            self._tagged[id(union)] = None
            several = len([branch for branch in union if branch != "null"]) > 1
            wanted = self._unions == "tagged" or (self._unions == "auto" and bool(self.clash(union)))
            self._tagged[id(union)] = several and wanted
        return self._tagged[id(union)]

    def clash(self, union: list[Any]) -> tuple[Any, Any] | None:
        """Return two branches that may have equal JSON; None if there are none. Equal branches do not count."""
        alike: dict[Any, list[Any]] = {}
        for branch in map(self.resolved, union):
            alike.setdefault(_likeness(branch), []).append(branch)
        maps = [branch for branch in alike.get("object", []) if branch["type"] == "map"]
        records = [branch for group, found in alike.items() if isinstance(group, frozenset) for branch in found]
        pairs: list[Iterable[tuple[Any, Any]]] = [combinations(group, 2) for group in alike.values()]
        for pair in (*(pair for group in pairs for pair in group), *product(maps, records)):
            if pair[0] != pair[1] and self._may_equal(*pair):
                return pair
        return None

    def _forms(self, kind: Any) -> list[Any]:
        """Return the types that values of a type look like in JSON; a tagged one is a record of one field."""
        kind = self.resolved(kind)
        if not isinstance(kind, list):
            return [kind]
        branches = [self.resolved(branch) for branch in kind]
        if id(kind) not in self._tagged_forms:
            names = branch_names(branches)
            self._tagged_forms[id(kind)] = [
                branch if branch == "null" else {"type": "record", "fields": [{"name": name, "type": branch}]}
                for branch, name in zip(branches, names, strict=True)
            ]
        decided = self._decided(kind)
        tagged = self._tagged_forms[id(kind)]
        return branches + tagged if decided is None else tagged if decided else branches

    def _may_equal(self, one: Any, other: Any) -> bool:
        return any(self._alike(*pair) for pair in product(self._forms(one), self._forms(other)))

    def _alike(self, one: Any, other: Any) -> bool:
        pair = _key(one), _key(other)
        if pair not in self._equal:
            self._equal[pair] = True  # while it is being looked at: rather tag too much
            self._equal[pair] = self._compared(one, other)
        return self._equal[pair]

    def _compared(self, one: Any, other: Any) -> bool:
        fields, others = _fields(one), _fields(other)
        if fields is not None and others is not None:
            return set(fields) == set(others) and all(self._may_equal(fields[name], others[name]) for name in fields)
        if fields is not None or others is not None:
            record, other = (fields, other) if fields is not None else (others, one)
            is_map = not isinstance(other, str) and other["type"] == "map"
            return is_map and all(self._may_equal(other["values"], kind) for kind in (record or {}).values())
        likeness = _likeness(one)
        if likeness != _likeness(other):
            return False
        kinds = kind_of(one), kind_of(other)
        if likeness == "text" and all(kind in _FORMS for kind in kinds):
            return kinds[0] == kinds[1]
        symbols = [set(kind["symbols"]) for kind in (one, other) if isinstance(kind, dict) and "symbols" in kind]
        return len(symbols) < 2 or bool(symbols[0] & symbols[1])

    def unions_in(self, kind: Any) -> Iterator[list[Any]]:
        """Yield all unions inside of a type, each once."""
        seen: set[str] = set()
        todo = [kind]
        while todo:
            kind = self.resolved(todo.pop())
            if isinstance(kind, dict) and "name" in kind:
                if kind["name"] in seen:
                    continue
                seen.add(kind["name"])
            if isinstance(kind, list):
                yield kind
            todo += reversed(parts(kind))


def branch_names(branches: list[Any]) -> list[str]:
    """
    Return the names of a union's branches: as in Avro's JSON encoding the full name, or the type.

    If two have the same name, a logical type follows it. (Avro does not allow such unions, but some writers make them.)
    """
    names = [branch if isinstance(branch, str) else str(branch.get("name", branch["type"])) for branch in branches]
    return [
        f"{name}.{branch['logicalType']}"
        if names.count(name) > 1 and isinstance(branch, dict) and branch.get("logicalType")
        else name
        for branch, name in zip(branches, names, strict=True)
    ]


def _fields(kind: Any) -> dict[str, Any] | None:
    if isinstance(kind, dict) and kind["type"] in ("record", "error"):
        return {field["name"]: field["type"] for field in kind["fields"]}
    return None


def _likeness(kind: Any) -> Any:
    """Return a value that is equal for types of which values may have equal JSON; records and maps apart."""
    if (fields := _fields(kind)) is not None:
        return frozenset(fields)
    meant = kind_of(kind)
    if meant in _NUMBERS:
        return "number"
    if meant == "json":
        return "list" if kind["type"] == "array" else "object"
    return meant if meant in ("null", "boolean") else "text"


def _key(kind: Any) -> Any:
    return kind if isinstance(kind, str) else kind.get("name", id(kind))
