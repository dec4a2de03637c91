"""Counts of one stage, from any source, as ``{key: count}`` with text keys that match exactly between stages."""

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
    """
    The counts of a stage are not one whole number, 0 or more, for each key.

    :param stage: name of the stage.
    :param problem: what is wrong, as a clause.
    """

    def __init__(self, stage: str, problem: str) -> None:
        super().__init__(stage, problem)
        self.stage = stage
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"Stage {self.stage!r} gave no usable counts: {self.problem}, so its keys cannot be compared."
            " Give a query that returns two columns (key, count), or a mapping {key: count}."
        )


class UnusableKeys(UnusableCounts):
    """The expected keys are not a list; ``stage`` is empty."""

    def __str__(self) -> str:
        return (
            f"The expected keys are not usable: {self.problem}. So it is not known which keys the report must have."
            " Give a list of keys, as a task or a query returns them; or leave expected_keys out."
        )


class UnusableSkips(UnusableCounts):
    """The counted skips are not ``{reason: {key: count}}``; ``stage`` is the reason, or empty if there are none."""

    def __str__(self) -> str:
        of = f" of the reason {self.stage!r}" if self.stage else ""
        return (
            f"The counted skips{of} are not usable: {self.problem}. So it is not known how many messages were rightly"
            " skipped, which does not mean none. Give {reason: {key: count}}, as the job that skips them counts them;"
            " or leave skips out, and any number of messages may be skipped."
        )


def key_text(key: object) -> str:
    """
    Return a key as text. Two keys match if their texts are equal.

    ``5``, ``Decimal(5)``, ``5.0`` and ``"5"`` are one key; ``"05"`` and ``" 5"`` are others. ``None`` becomes
    ``"null"`` and ``True`` becomes ``"true"``, as in a JSON object, so that counts from XCom match those of a query.
    """
    if key is None or isinstance(key, bool):
        return json.dumps(key)
    if isinstance(key, (Decimal, float)) and key == key // 1:
        return str(int(key))
    return key.decode(errors="backslashreplace") if isinstance(key, bytes) else str(key)


def counts_from_rows(stage: str, rows: Iterable[Any]) -> dict[str, int]:
    """
    Return the counts in the rows of a query.

    :param stage: name of the stage, for the error's text.
    :param rows: sequences of exactly two values, key and count. The counts of equal keys are added up.
    :raises UnusableCounts: a row has more or fewer columns, or a count is NULL, negative or not a whole number.
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
    Return the counts that another task returned.

    :param stage: name of the stage, for the error's text.
    :param value: ``{key: count}``, or several of them (from mapped tasks), which are added up. Either may also be text,
        as JSON or as Python prints it: a template renders to such text unless Airflow renders to native objects.
    :raises UnusableCounts: the value is anything else. That includes a missing XCom (``None``), which does not mean
        that there are no messages.
    """
    parsed = _parse(stage, value) if isinstance(value, str) else value
    if isinstance(parsed, Mapping):
        return counts_from_rows(stage, parsed.items())
    if isinstance(parsed, Iterable) and not isinstance(parsed, (str, bytes)):
        parts = list(parsed)
        if all(isinstance(part, Mapping) for part in parts):
            return counts_from_rows(stage, (item for part in parts for item in part.items()))
    raise UnusableCounts(stage, f"expected a mapping, got {_shortened(parsed)}")


def skips_from_value(value: object) -> dict[str, dict[str, int]]:
    """
    Return the counted skips ``{reason: {key: count}}`` that another task returned; text is parsed as for a stage.

    :raises UnusableSkips: the value is anything else. That includes a missing XCom (``None``): it is not known how many
        messages were skipped.
    """
    try:
        parsed = _parse("", value) if isinstance(value, str) else value
        if not isinstance(parsed, Mapping):
            raise UnusableCounts("", f"expected {{reason: {{key: count}}}}, got {_shortened(parsed)}")
        return {str(reason): counts_from_value(str(reason), counts) for reason, counts in parsed.items()}
    except UnusableCounts as error:
        raise UnusableSkips(error.stage, error.problem) from error


def keys_from_value(value: object) -> list[str]:
    """
    Return the keys in the list that another task returned; text is parsed as for a stage.

    :raises UnusableKeys: the value is anything else, such as a missing XCom (``None``).
    """
    try:
        parsed = _parse("", value) if isinstance(value, str) else value
    except UnusableCounts as error:
        raise UnusableKeys("", error.problem.replace("a mapping", "a list")) from error
    if isinstance(parsed, (str, bytes, Mapping)) or not isinstance(parsed, Iterable):
        raise UnusableKeys("", f"expected a list, got {_shortened(parsed)}")
    return [key_text(key) for key in parsed]


def in_key_order(keys: Iterable[str]) -> list[str]:
    """Return the keys sorted: as numbers if all of them are whole numbers, otherwise as text."""
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
        raise UnusableCounts(stage, f"the count of key {key!r} is {_shortened(count)}, not a whole number of 0 or more")
    return whole


def _shortened(value: object) -> str:
    return cut(repr(value), 80, "...")
