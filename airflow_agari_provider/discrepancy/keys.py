"""
Keys as text: two stages mean the same key if their texts are equal.

Each source writes a key in its own way: a database pads CHAR columns, a driver gives a UUID as an object, JSON has only
texts. A rule brings them to one text. NULL is a key of its own.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, get_args
from uuid import UUID

from airflow_agari_provider.exceptions import one_of_text

KeyKind = Literal["auto", "text", "int", "uuid", "bool", "date", "datetime"]
KeyRule = KeyKind | Callable[[Any], Any] | Sequence[Any]
KINDS: tuple[str, ...] = get_args(KeyKind)

WHOLE_NUMBER = re.compile(r"-?\d+", re.ASCII)
SHORT = 16  # characters; no UUID and no time is shorter
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
_TRUE, _FALSE = frozenset({"true", "t", "yes", "y", "on", "1"}), frozenset({"false", "f", "no", "n", "off", "0"})


class NullKey(str):
    """The key NULL: it is shown as this text, but is equal to no text."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __ne__(self, other: object) -> bool:
        return self is not other

    def __hash__(self) -> int:
        return hash(("NULL", "key"))

    def __reduce__(self) -> str:
        return "NULL"  # the one there is


NULL = NullKey("NULL")


def key_text(key: object) -> str:
    """
    Return a key as text, by the rule ``auto``.

    ``5``, ``Decimal(5)``, ``5.0`` and ``"5"`` are one key; ``"05"`` and ``" 5"`` are others. ``True`` becomes
    ``"true"``, as in a JSON object. Spaces at the end are the padding of a CHAR column, and go. UUIDs are in small
    letters, times without a zone in UTC, letters composed (Unicode NFC). Of bytes that are not UTF-8 and of lone
    surrogates, which no service takes, the number is shown.
    """
    if isinstance(key, str):
        return key if isinstance(key, NullKey) else _auto_text(key)
    if key is None:
        return NULL
    if isinstance(key, bool):
        return json.dumps(key)
    if isinstance(key, int):
        return _digits(key)
    if isinstance(key, (Decimal, float)):
        return _number_text(key)
    if isinstance(key, (bytes, bytearray, memoryview)):
        return _auto_text(bytes(key).decode(errors="backslashreplace"))
    if isinstance(key, datetime):
        return _moment_text(key)
    return _auto_text(str(key))


def key_rule(rule: KeyRule) -> Callable[[Any], str]:
    """
    Return the function that brings a key to text.

    :param rule: as of ``DiscrepancyCheckOperator(key=)``. A sequence: a rule for each part of a key of several columns.
    :raises ValueError: there is no such rule. The function raises it, or anything that a callable raises, if a key does
        not fit.
    """
    if rule == "auto":
        return key_text
    if isinstance(rule, str):
        if rule not in KINDS:
            raise ValueError(f"{one_of_text('key', KINDS, rule)}, nor a function, nor a list of these.")
        return _nullable(_RULES[rule])
    if callable(rule):
        return _nullable(lambda key: key_text(rule(key)))
    parts = [key_rule(part) for part in rule]
    if not parts:
        raise ValueError("key is an empty list: give a rule for each column of the key.")
    return lambda key: _composite(parts, key)


def columns_of_key(rule: KeyRule) -> int:
    """How many columns of a row the key has."""
    return 1 if isinstance(rule, str) or callable(rule) else len(rule)


def in_key_order(keys: Iterable[str]) -> list[str]:
    """Return the keys sorted: as numbers if all of them are whole numbers, otherwise as text."""
    unsorted = list(keys)
    if not all(WHOLE_NUMBER.fullmatch(key) for key in unsorted):
        return sorted(unsorted)
    if max(map(len, unsorted), default=0) < 19:
        return sorted(unsorted, key=lambda key: (int(key), key))
    return sorted(unsorted, key=_number_order)


def _number_order(key: str) -> tuple[bool, int, str, str]:
    """Order of a number of any length; Python makes no int of more than 4,300 digits."""
    digits = key.lstrip("-").lstrip("0")
    if not key.startswith("-"):
        return True, len(digits), digits, key
    return False, -len(digits), "".join(chr(ord("9") - ord(digit) + ord("0")) for digit in digits), key


def _nullable(rule: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda key: NULL if key is None or key is NULL else rule(key)


def _composite(parts: Sequence[Callable[[Any], str]], key: Any) -> str:
    if isinstance(key, str):
        key = json.loads(key)
    if not isinstance(key, (list, tuple)) or len(key) != len(parts):
        raise ValueError(f"it does not have {len(parts)} parts")
    return " | ".join(_part(rule(part)) for rule, part in zip(parts, key, strict=True))


def _part(text: str) -> str:
    if text is NULL:
        return "NULL"
    return '"NULL"' if text == "NULL" else text.replace("\\", "\\\\").replace("|", "\\|")


def _auto_text(text: str) -> str:
    if not text.isascii():
        text = _composed(text)
    if text.endswith(" "):
        text = text.rstrip(" ")
    if len(text) < SHORT:
        return text
    if len(text) == 36 and _UUID.fullmatch(text):
        return text.lower()
    if text[4] == "-" and _TIME.fullmatch(text):
        try:
            return _moment_text(datetime.fromisoformat(text))
        except ValueError:  # the 31st of February
            return text
    return text


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.encode(errors="backslashreplace").decode())


def _moment_text(moment: datetime) -> str:
    if moment.tzinfo:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ")


def _digits(number: int) -> str:
    try:
        return str(number)
    except ValueError:  # more than 4,300 digits
        return format(Decimal(number), "f")


def _number_text(number: Decimal | float) -> str:
    if isinstance(number, float):
        return _digits(int(number)) if number.is_integer() else repr(number)
    if not number.is_finite() or abs(number.adjusted()) > 10_000:
        return str(number)
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def _text(key: Any) -> str:
    if isinstance(key, (bytes, bytearray, memoryview)):
        key = bytes(key).decode(errors="backslashreplace")
    return str(key).encode(errors="backslashreplace").decode()


def _int(key: Any) -> str:
    text = str(int(key)) if isinstance(key, bool) else key_text(key).strip()
    whole, _, fraction = text.partition(".")
    if not WHOLE_NUMBER.fullmatch(whole.removeprefix("+")) or fraction.strip("0"):
        raise ValueError("it is not a whole number")
    digits = whole.lstrip("+-").lstrip("0") or "0"
    return f"-{digits}" if whole.startswith("-") and digits != "0" else digits


def _uuid(key: Any) -> str:
    if isinstance(key, (bytes, bytearray, memoryview)) and len(bytes(key)) == 16:
        return str(UUID(bytes=bytes(key)))
    return str(key) if isinstance(key, UUID) else str(UUID(_text(key).strip()))


def _bool(key: Any) -> str:
    text = key_text(key).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError("it is neither true nor false")
    return json.dumps(text in _TRUE)


def _date(key: Any) -> str:
    if isinstance(key, date) and not isinstance(key, datetime):
        return key.isoformat()
    return _moment(key).date().isoformat()


def _datetime(key: Any) -> str:
    return _moment_text(_moment(key))


def _moment(key: Any) -> datetime:
    moment = key if isinstance(key, datetime) else datetime.fromisoformat(_text(key).strip())
    return moment.astimezone(UTC) if moment.tzinfo else moment


_RULES: dict[str, Callable[[Any], str]] = {
    "text": _text, "int": _int, "uuid": _uuid, "bool": _bool, "date": _date, "datetime": _datetime,
}  # fmt: skip


def as_booleans(keys: Iterable[str]) -> bool:
    """Whether each of the keys can be read as true or false."""
    return all(key.lower() in _TRUE | _FALSE for key in keys)
