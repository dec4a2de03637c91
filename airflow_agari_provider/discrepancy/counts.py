"""Counts of one stage, whatever they came from, as ``{key: count}`` with text keys that join exactly."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from airflow_agari_provider.exceptions import AgariError, cut

WHOLE_NUMBER = re.compile(r"-?\d+", re.ASCII)


class UnusableCounts(AgariError):
    """A stage gave something other than one whole number, 0 or more, for each key."""

    def __init__(self, stage: str, problem: str) -> None:
        super().__init__(stage, problem)
        self.stage = stage
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"Stage {self.stage!r} gave no usable counts: {self.problem}, so its keys cannot be compared."
            " Give a query that returns two columns (key, count), or a mapping {key: count}."
        )


def key_text(key: object) -> str:
    """
    Text under which a key joins: ``5``, ``Decimal(5)``, ``5.0`` and ``"5"`` are one key, ``"05"`` and ``" 5"`` others.

    ``None`` becomes ``"null"`` and ``True`` ``"true"``, as in a JSON object, so that counts that travelled through XCom
    join with those of a query.
    """
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    if isinstance(key, (Decimal, float)) and key == key // 1:
        return str(int(key))
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else str(key)


def counts_from_rows(stage: str, rows: Iterable[Any]) -> dict[str, int]:
    """
    Add up the rows of a query.

    :param stage: name of the stage, for the error.
    :param rows: sequences of exactly two values, key and count; a key that comes twice is added up.
    :raises UnusableCounts: another number of columns, or a count that is NULL, negative or no whole number.
    """
    counts: dict[str, int] = {}
    for row in rows:
        if len(row) != 2:
            raise UnusableCounts(stage, f"a row has {len(row)} columns, not 2 (key, count)")
        key = key_text(row[0])
        counts[key] = counts.get(key, 0) + _whole(stage, key, row[1])
    return counts


def counts_from_value(stage: str, value: object) -> dict[str, int]:
    """
    Counts that another task handed over.

    :param stage: name of the stage, for the error.
    :param value: ``{key: count}``, or several of them (mapped tasks), which are added up; or the text of either as JSON
        or as Python prints it, which is what a template leaves where Airflow does not render to native objects.
    :raises UnusableCounts: anything else; a missing XCom (``None``) too, which is not the same as no messages.
    """
    parsed = _parse(stage, value) if isinstance(value, str) else value
    if isinstance(parsed, Mapping):
        return counts_from_rows(stage, parsed.items())
    if isinstance(parsed, Iterable) and not isinstance(parsed, (str, bytes)):
        parts = list(parsed)
        if all(isinstance(part, Mapping) for part in parts):
            return counts_from_rows(stage, (item for part in parts for item in part.items()))
    raise UnusableCounts(stage, f"expected a mapping, got {_shortened(parsed)}")


def in_key_order(keys: Iterable[str]) -> list[str]:
    """Sorted keys: by number when all of them are whole numbers, otherwise as text."""
    unsorted = list(keys)
    if all(WHOLE_NUMBER.fullmatch(key) for key in unsorted):
        return sorted(unsorted, key=lambda key: (int(key), key))
    return sorted(unsorted)


def _parse(stage: str, text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        pass
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise UnusableCounts(stage, f"expected a mapping, got the text {_shortened(text)}") from None


def _whole(stage: str, key: str, count: Any) -> int:
    try:
        whole = int(count)
    except (TypeError, ValueError, OverflowError):
        whole = -1
    if isinstance(count, (bool, str, bytes)) or whole != count or whole < 0:
        raise UnusableCounts(
            stage, f"the count of key {key!r} is {cut(repr(count), 80, '...')}, not a whole number of 0 or more"
        )
    return whole


def _shortened(value: object) -> str:
    return cut(repr(value), 80, "...")
