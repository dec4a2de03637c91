"""Values that a template rendered to text: JSON, or as Python prints them. A key that is there twice is kept twice."""

from __future__ import annotations

import ast
import json
from collections.abc import Sequence
from typing import Any


class Repeating(dict[Any, Any]):
    """
    An object in which a key stands more than once: as a plain dict it would silently keep the last one only.

    :param pairs: all of its keys and values.
    """

    def __init__(self, pairs: Sequence[tuple[Any, Any]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def parsed(text: str) -> object:
    """
    Return the value of a text.

    :raises ValueError: it is neither JSON nor a Python literal.
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        pass
    try:
        return _literal(ast.parse(text.strip(), mode="eval").body)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError("it is neither JSON nor a Python literal") from error


def _object(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else Repeating(pairs)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Dict):
        if None in node.keys:  # {**other}
            raise ValueError("it is no literal")
        keys = [ast.literal_eval(key) for key in node.keys if key is not None]
        return _object(list(zip(keys, map(_literal, node.values), strict=True)))
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(element) for element in node.elts]
    return ast.literal_eval(node)
