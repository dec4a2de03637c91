"""Counts of one stage, from any source, as ``{key: count}`` with text keys that match exactly between stages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from airflow_agari_provider.discrepancy.counted import (
    Counted,
    UnusableCounts,
    UnusableKeys,
    UnusableMapping,
    UnusableSkips,
    named,
    shortened,
)
from airflow_agari_provider.discrepancy.keys import KeyRule, key_rule
from airflow_agari_provider.discrepancy.literals import Repeating, parsed


def counts_from_rows(stage: str, rows: Iterable[Any], key: KeyRule = "auto") -> dict[str, int]:
    """
    Return the counts in the rows of a query.

    :param stage: name of the stage, for the error's text.
    :param rows: sequences of exactly two values, key and count. The counts of equal keys are added up.
    :param key: rule of the keys.
    :raises UnusableCounts: a row has more or fewer columns, or a count is NULL, negative or not a whole number.
    """
    counted = Counted(stage, key)
    counted.add_rows(rows)
    return counted.counts


def counts_from_value(stage: str, value: object, key: KeyRule = "auto") -> dict[str, int]:
    """Return the counts that another task returned; see :func:`add_value`."""
    counted = Counted(stage, key)
    add_value(counted, value)
    return counted.counts


def add_value(counted: Counted, value: object) -> None:
    """
    Add the counts that another task returned.

    :param value: ``{key: count}``, or several of them (from mapped tasks), which are added up. Either may also be text,
        as JSON or as Python prints it: a template renders to such text unless Airflow renders to native objects.
    :raises UnusableCounts: the value is anything else. That includes a missing XCom (``None``), which does not mean
        that there are no messages.
    """
    counted.is_json |= isinstance(value, str)
    value = _parse(counted.stage, value)
    parts = [value] if isinstance(value, Mapping) else value
    if isinstance(parts, Iterable) and not isinstance(parts, (str, bytes)):
        parts = list(parts)
        if all(isinstance(part, Mapping) for part in parts):
            seen = counted.repeated
            for part in parts:
                alone = Counted(counted.stage, counted.key, pool=counted.pool)
                alone.add_mapping(part)
                seen += alone.repeated
                counted.an_example = counted.an_example or alone.an_example
                counted.has_booleans |= alone.has_booleans
                for key, count in alone.counts.items():
                    counted.counts[key] = counted.counts.get(key, 0) + count
            counted.repeated = seen
            return
    raise UnusableCounts(counted.stage, f"expected a mapping, got {shortened(value)}")


def skips_from_value(value: object, key: KeyRule = "auto") -> dict[str, dict[str, int]]:
    """
    Return the counted skips ``{reason: {key: count}}`` that another task returned; text is parsed as for a stage.

    :raises UnusableSkips: the value is anything else. That includes a missing XCom (``None``): it is not known how many
        messages were skipped.
    """
    try:
        found = _parse("", value)
        if not isinstance(found, Mapping):
            raise UnusableCounts("", f"expected {{reason: {{key: count}}}}, got {shortened(found)}")
        pairs = found.pairs if isinstance(found, Repeating) else found.items()
        skips: dict[str, dict[str, int]] = {}
        for reason, counts in pairs:
            of_reason = skips.setdefault(str(reason), {})
            for each, count in counts_from_value(str(reason), counts, key).items():
                of_reason[each] = of_reason.get(each, 0) + count
        return skips
    except UnusableCounts as error:
        raise UnusableSkips(error.stage, error.problem) from error


def mapping_from_value(name: str, value: object) -> Mapping[Any, Any]:
    """
    Return the ``{name: value}`` of an argument; text is parsed as for a stage, and ``None`` or empty text is none.

    :param name: of the argument.
    :raises UnusableMapping: it is anything else.
    """
    if value is None or (isinstance(value, str) and value.strip() in ("", "None")):
        return {}
    try:
        found = _parse(name, value)
    except UnusableCounts as error:
        raise UnusableMapping(name, error.problem) from error
    if not isinstance(found, Mapping):
        raise UnusableMapping(name, f"expected a mapping, got {shortened(found)}")
    return found


def keys_from_value(value: object, key: KeyRule = "auto") -> list[str]:
    """
    Return the keys in the list that another task returned; text is parsed as for a stage.

    :raises UnusableKeys: the value is anything else, such as a missing XCom (``None``).
    """
    try:
        found = _parse("", value)
    except UnusableCounts as error:
        raise UnusableKeys("", error.problem.replace("a mapping", "a list")) from error
    if isinstance(found, (str, bytes, Mapping)) or not isinstance(found, Iterable):
        raise UnusableKeys("", f"expected a list, got {shortened(found)}")
    return texts_of_keys(found, key)


def texts_of_keys(keys: Iterable[Any], key: KeyRule) -> list[str]:
    """:raises UnusableKeys: a key does not fit the rule."""
    text_of = key_rule(key)
    texts = []
    for each in keys:
        try:
            texts.append(text_of(each))
        except Exception as error:
            raise UnusableKeys("", f"{shortened(each)} is no key by the rule {named(key)} ({error})") from error
    return texts


def _parse(stage: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parsed(value)
    except ValueError:
        raise UnusableCounts(stage, f"expected a mapping, got the text {shortened(value)}") from None
