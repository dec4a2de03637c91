"""The counts of one stage while they are added up, and what is wrong with counts that cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import islice, repeat
from operator import eq, itemgetter
from typing import Any
from uuid import UUID

from airflow_agari_provider.discrepancy.keys import (
    NULL,
    SHORT,
    KeyRule,
    as_booleans,
    columns_of_key,
    key_rule,
    key_text,
)
from airflow_agari_provider.discrepancy.literals import Repeating
from airflow_agari_provider.exceptions import AgariError, cut

LARGEST = 2**63 - 1
_COMMON = {str, int, float, Decimal, bytes, UUID, date, datetime, type(None)}  # no booleans: they are noted
ROWS_AT_ONCE = 10_000
_FIRST, _SECOND = itemgetter(0), itemgetter(1)


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


class UnusableMapping(UnusableCounts):
    """An argument is not ``{name: text}``; ``stage`` is its name."""

    def __str__(self) -> str:
        return (
            f"{self.stage} is not usable: {self.problem}. Give a mapping, or a template that renders to one, as JSON or"
            f" as Python prints it; or leave {self.stage} out."
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


@dataclass
class Counted:
    """
    The counts of one stage, added up row by row.

    :param stage: its name, for the errors' texts.
    :param key: rule of the keys.
    :param with_distinct: whether each row has a third figure: how many of its messages are different ones.
    :param pool: key -> its text, shared by the stages so that a million of them are in memory once.
    """

    stage: str
    key: KeyRule = "auto"
    with_distinct: bool = False
    pool: dict[Any, str] = field(default_factory=dict, repr=False)
    counts: dict[str, int] = field(default_factory=dict)
    distinct: dict[str, int] = field(default_factory=dict)
    repeated: int = 0
    an_example: str = ""
    has_booleans: bool = False
    is_json: bool = False

    def __post_init__(self) -> None:
        self._text_of = key_rule(self.key)
        self._key_columns = columns_of_key(self.key)

    def add_rows(self, rows: Iterable[Any]) -> None:
        """
        Add rows of a query: the key's columns, the count, and the distinct count.

        The counts of equal keys are added up, and ``repeated`` says how often that was.

        :raises UnusableCounts: a row has more or fewer columns, or a count is NULL, negative or not a whole number.
        """
        if self._key_columns == 1 and not self.with_distinct:
            self._add_pairs(rows)
            return
        width = self._key_columns + 1 + self.with_distinct
        for row in rows:
            cells = _cells(row)
            if len(cells) != width:
                raise self._wrong_width(len(cells), width)
            key = cells[0] if self._key_columns == 1 else cells[: self._key_columns]
            text = self._add(key, cells[self._key_columns])
            if self.with_distinct:
                number = self._whole(text, cells[-1])
                if number > cells[-2]:
                    raise UnusableCounts(self.stage, f"key {text!r} has more distinct messages than messages")
                self.distinct[text] = self.distinct.get(text, 0) + number

    def add_mapping(self, mapping: Mapping[Any, Any]) -> None:
        """
        Add ``{key: count}``. A key of several columns is a tuple, a list as JSON, or one mapping inside of another.

        :raises UnusableCounts: as for rows.
        """
        pairs = mapping.pairs if isinstance(mapping, Repeating) else mapping.items()
        self._add_pairs(pairs if self._key_columns == 1 else self._flat(pairs, ()))

    def _flat(self, pairs: Iterable[tuple[Any, Any]], outer: tuple[Any, ...]) -> Iterable[tuple[Any, Any]]:
        for key, value in pairs:
            if isinstance(value, Mapping):
                yield from self._flat(value.items(), (*outer, key))
            else:
                yield ((*outer, key) if outer else key), value

    def _add_pairs(self, pairs: Iterable[Any]) -> None:
        rest = iter(pairs)
        while some := list(islice(rest, ROWS_AT_ONCE)):
            if not self._add_plain(some):
                for row in some:
                    cells = _cells(row)
                    if len(cells) != 2:
                        raise self._wrong_width(len(cells), 2)
                    self._add(*cells)

    def _add_plain(self, rows: Sequence[Any]) -> bool:
        """
        Add rows all at once if their keys are of common types, and no key is there twice; return whether they were.

        That is most rows, and five times as fast as one by one.
        """
        if self.key != "auto" or set(map(type, rows)) != {tuple} or set(map(len, rows)) != {2}:
            return False
        keys, numbers = list(map(_FIRST, rows)), list(map(_SECOND, rows))  # a third of the time that zip takes
        texts, whole = self._texts(keys), _plain_numbers(numbers)
        if texts is None or whole is None or not self.counts.keys().isdisjoint(texts):
            return False
        before = len(self.counts)
        self.counts.update(zip(texts, whole, strict=True))
        if len(self.counts) == before + len(texts):
            return True
        for text in texts:  # one is there twice: take them back
            self.counts.pop(text, None)
        return False

    def _texts(self, keys: Sequence[Any]) -> list[str] | None:
        """Return the texts of keys of common types; those that another stage had are looked up, which is faster."""
        if set(map(type, keys)) not in ({int}, {str}):
            return _plain_texts(keys)
        known = list(map(self.pool.get, keys))
        if None not in known:
            return known  # type: ignore[return-value]
        texts = _plain_texts(keys)
        if texts is not None:
            texts = [new if old is None else old for new, old in zip(texts, known, strict=True)]
            self.pool.update(zip(keys, texts, strict=True))
        return texts

    def _add(self, key: Any, count: Any) -> str:
        text = self._text(key)
        number = self._whole(text, count)
        if text in self.counts:
            self._note_repeated(text)
        text = self.pool.setdefault(text, text)
        self.counts[text] = self.counts.get(text, 0) + number
        return text

    def _text(self, key: Any) -> str:
        if isinstance(key, bool):
            self.has_booleans = True
        try:
            return self._text_of(key)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            problem = f"the key {shortened(key)} is no key by the rule {named(self.key)} ({cut(said, 200, '...')})"
            raise UnusableCounts(self.stage, problem) from error

    def _note_repeated(self, text: str) -> None:
        self.repeated += 1
        self.an_example = self.an_example or text

    def _wrong_width(self, found: int, wanted: int) -> UnusableCounts:
        names = "key, count" if wanted == 2 else f"{self._key_columns} of the key, count"
        names += ", distinct count" if self.with_distinct else ""
        hint = '. For a key of several columns, give key=["auto", "auto"]' if found > wanted == 2 else ""
        return UnusableCounts(self.stage, f"a row has {found} columns, not {wanted} ({names}){hint}")

    def _whole(self, key: str, count: Any) -> int:
        try:
            whole = int(count) if count <= LARGEST else -1
        except (TypeError, ValueError, OverflowError, ArithmeticError):
            whole = -1
        if isinstance(count, (bool, str, bytes)) or whole != count or whole < 0:
            what = f"the count of key {shortened(key)} is {shortened(count)}"
            raise UnusableCounts(self.stage, f"{what}, not a whole number of 0 or more")
        return whole


def settle_nulls_and_booleans(stages: Iterable[Counted], skips: Iterable[dict[str, int]] = ()) -> None:
    """
    Bring keys to one form that only the stages together show.

    A JSON object can hold NULL only as the text "null", and a database may have booleans as 0 and 1. So "null" in JSON
    is NULL if another stage has NULL; and all keys are booleans if some are, and all others look so.

    :param skips: by reason: counts of skipped messages that came as JSON; their keys follow.
    """
    stages = [stage for stage in stages if stage.key == "auto"]
    if any(NULL in stage.counts for stage in stages):
        for counts in [*(stage.counts for stage in stages if stage.is_json), *skips]:
            _rename(counts, {"null": NULL})
    small = all(len(stage.counts) <= 12 for stage in stages)  # there are not many ways to write two booleans
    every = {key for stage in stages if small for key in stage.counts if key is not NULL}
    if any(stage.has_booleans for stage in stages) and every and as_booleans(every):
        text_of = key_rule("bool")
        for stage in stages:
            _rename(stage.counts, {key: text_of(key) for key in every})
            _rename(stage.distinct, {key: text_of(key) for key in every})
        for by_key in skips:
            _rename(by_key, {key: text_of(key) for key in by_key if as_booleans([key])})


def _rename(counts: dict[str, int], names: Mapping[str, str]) -> None:
    for old, new in names.items():
        if old in counts and old != new:
            counts[new] = counts.get(new, 0) + counts.pop(old)


def _cells(row: Any) -> list[Any]:
    return list(row.values() if isinstance(row, Mapping) else row)


def named(rule: KeyRule) -> str:
    return getattr(rule, "__name__", repr(rule))


def shortened(value: object) -> str:
    try:
        return cut(repr(value), 80, "...")
    except ValueError:  # a number of more digits than Python prints
        return "a number of thousands of digits"


def _plain_texts(keys: Sequence[Any]) -> list[str] | None:
    """Return the texts of keys of common types by the rule ``auto``; None if one is of another type."""
    kinds = set(map(type, keys))
    if kinds == {int} and min(keys) > -LARGEST and max(keys) < LARGEST:
        return list(map(str, keys))
    if kinds == {str} and max(map(len, keys)) < SHORT and all(map(str.isascii, keys)):
        return list(map(str.rstrip, keys, repeat(" ")))
    return list(map(key_text, keys)) if kinds <= _COMMON else None


def _plain_numbers(numbers: Sequence[Any]) -> list[int] | None:
    """Return counts that are whole numbers of 0 or more; otherwise None."""
    kinds = set(map(type, numbers))
    if not kinds <= {int, Decimal} or not all(number.is_finite() for number in numbers if type(number) is Decimal):
        return None
    if not (min(numbers) >= 0 and max(numbers) <= LARGEST):
        return None
    whole = list(numbers) if kinds == {int} else list(map(int, numbers))
    return whole if kinds == {int} or all(map(eq, whole, numbers)) else None
