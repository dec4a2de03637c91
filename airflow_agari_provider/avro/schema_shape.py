"""
How deep the types of an Avro schema are nested, and which of their values take no bytes.

Each named type is looked at once, even if many other types name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Extent:
    """
    The extent of the values of one type.

    :param depth: how many types are within each other, this one included; a type inside itself is not counted again.
    :param empties: how many parts of each value take no bytes, such as nulls.
    :param empty: whether a whole value takes no bytes.
    """

    depth: int
    empties: int = 0
    empty: bool = False


class Shape:
    """
    The extent of a whole schema.

    :param definition: type of the values, with references to named types by full name.
    :param named: definition of each named type.
    :raises RecursionError: the schema is nested too deep.
    """

    recursive = False
    """Whether a value may hold values of its own type, and so be nested without limit."""
    boundless = False
    """Whether it has arrays of items that take no bytes: a block of a few bytes could claim any number of them."""

    def __init__(self, definition: Any, named: Mapping[str, Any]) -> None:
        self._named = named
        self._known: dict[str, Extent | None] = {}
        self.whole = self._extent(definition)
        self.empties = max(one.empties for one in (self.whole, *self._known.values()) if one)
        """The most parts without bytes that a value of any of its types holds."""

    def _extent(self, kind: Any) -> Extent:
        name = kind.get("name") if isinstance(kind, dict) else kind
        if not isinstance(name, str) or name not in self._named:
            return self._measured(kind)
        if name not in self._known:
            self._known[name] = None  # while it is being looked at
            self._known[name] = self._measured(self._named[name])
        known = self._known[name]
        self.recursive |= known is None
        return known or Extent(0)

    def _measured(self, kind: Any) -> Extent:
        inner = [self._extent(part) for part in parts(kind)]
        depth = 1 + max((one.depth for one in inner), default=0)
        name = kind["type"] if isinstance(kind, dict) else kind
        if name in ("record", "error"):
            empty = all(one.empty for one in inner)
            return Extent(depth, sum(one.empties for one in inner) or int(empty), empty)
        if name == "null" or (name == "fixed" and kind["size"] == 0):
            return Extent(1, 1, True)
        self.boundless |= name == "array" and inner[0].empty
        return Extent(depth)


def parts(kind: Any) -> list[Any]:
    """Return the types that a type directly consists of."""
    if isinstance(kind, list):
        return kind
    if not isinstance(kind, dict):
        return []
    return [kind[part] for part in ("items", "values") if part in kind] + [
        field["type"] for field in kind.get("fields", [])
    ]
