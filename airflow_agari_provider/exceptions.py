"""
Errors that more than one room uses, what every room needs to raise one, the one rule for trying again, and how
arguments are checked that users give as numbers, durations or one of several words.

Each class passes its values to ``super().__init__`` and builds its text in ``__str__``. So it can be pickled, which
Airflow needs to pass an error from one process to another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from math import isfinite
from typing import Any, TypeVar

T = TypeVar("T")


class AgariError(Exception):
    """Base of every error this package raises on purpose; anything else is a bug."""


class UnimportableObject(AgariError):
    """An object that no retry can import as it is: only a person, or a new version of the object, can change that."""


class BadAvro(UnimportableObject):
    """
    An object that is not a sound Avro object container file.

    :param source: name of the object, such as its S3 URL.
    :param offset: bytes from the start of the file to the damage.
    :param problem: what is wrong, as a clause.
    """

    def __init__(self, source: str, offset: int, problem: str) -> None:
        super().__init__(source, offset, problem)
        self.source = source
        self.offset = offset
        self.problem = problem

    def __str__(self) -> str:
        return (
            f"{self.source}, byte {self.offset}: {self.problem}. Nothing of this file was loaded. "
            "Let its producer write it again."
        )


class BadQuestion(AgariError):
    """
    A request cannot be answered because of one of its parameters.

    :param name: the parameter.
    :param value: its value in the request.
    :param problem: what is wrong, or what to ask instead, in whole sentences.
    """

    def __init__(self, name: str, value: str, problem: str) -> None:
        super().__init__(name, value, problem)
        self.name, self.value, self.problem = name, value, problem

    def __str__(self) -> str:
        return self.problem


# Error codes with a status below 500 after which a later request may succeed. Most mean "too many requests", which
# services spell in several ways, with and without "Exception" at the end. After an expired token a connection gets new
# credentials.
# Source: botocore's own lists of throttling and transient errors, botocore/retries/standard.py.
_PASSING_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "ExpiredToken",
        "LimitExceeded",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceeded",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestTimeout",
        "SlowDown",
        "TooManyRequests",
        "TransactionInProgress",
    }
)


def may_pass(error: Exception) -> bool:
    """
    Whether the same request to AWS may succeed later: no connection, no credentials yet, throttling, or a fault of AWS.

    :param error: a ``BotoCoreError`` or ``ClientError`` of botocore.
    """
    from botocore.exceptions import NoRegionError, ParamValidationError

    response = getattr(error, "response", None)
    if response is None:
        return not isinstance(error, NoRegionError | ParamValidationError)
    code = str(response.get("Error", {}).get("Code", "")).removesuffix("Exception")
    throttled = "Throttl" in code or code in _PASSING_CODES
    return throttled or response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500


def retrying(
    *,
    passes: Callable[[BaseException], bool],
    wait: Callable[[int, Any], float],
    tell: Callable[[int, Any, float], None],
    tries: int | None = None,
    seconds: float | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Callable[[Callable[[], T]], T]:
    """
    Return a function that calls another one, again and again while its error may pass, and returns what that returned.

    In the end it raises the last error. Tenacity, which Airflow brings, does the counting.

    :param passes: takes an error; whether a later try may succeed.
    :param wait: takes the number of failed tries and the last error; seconds until the next try.
    :param tell: takes the number of failed tries, the last error and the seconds until the next try, for the log.
    :param tries: how many tries there are in all.
    :param seconds: how long all tries together may take; there is no try that would begin later.
    :param sleep: takes seconds.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay

    def error_of(state: Any) -> Any:
        return state.outcome.exception()

    def before_sleep(state: Any) -> None:
        tell(state.attempt_number, error_of(state), state.next_action.sleep)

    return Retrying(
        sleep=sleep,
        stop=stop_before_delay(seconds or 0) if tries is None else stop_after_attempt(tries),
        wait=lambda state: wait(state.attempt_number, error_of(state)),
        retry=retry_if_exception(passes),
        before_sleep=before_sleep,
        reraise=True,
    )


def cut(text: str, limit: int, marker: str = "… (cut)") -> str:
    """
    Cut a text to a limit; a mark at its end shows that something is left out.

    :param limit: characters, including those of the mark.
    """
    return text if len(text) <= limit else text[: limit - len(marker)] + marker


def one_of_text(name: str, choices: Iterable[object], value: object) -> str:
    """
    Say that a value is not among the allowed ones, as a clause: ``mapped is one of sum, longest, not 'all'``.

    :param name: what has the value.
    """
    return f"{name} is one of {', '.join(map(str, choices))}, not {value!r}"


def require_one_of(name: str, value: object, choices: Iterable[object]) -> None:
    """
    Check that an argument has one of its allowed values.

    :param name: the argument, for the error's text.
    :raises ValueError: the value is not among the choices.
    """
    choices = list(choices)
    if value not in choices:
        raise ValueError(f"{one_of_text(name, choices, value)}.")


def number(name: str, value: object, least: float = 0) -> float:
    """
    Return an argument that is a number, or that a template has rendered to the text of one.

    :param name: the argument, for the error's text.
    :param least: the smallest value that it may have.
    :raises ValueError: it is no number, not finite, or smaller.
    """
    found = _finite(value)
    if found is None or found < least:
        raise ValueError(f"{_shown(name, value)}: give a number, {least:g} or more.{_missing(value)}")
    return found


def whole_number(name: str, value: object, least: int = 0) -> int:
    """
    Return an argument that is a whole number, or that a template has rendered to the text of one.

    :param name: the argument, for the error's text.
    :param least: the smallest value that it may have.
    :raises ValueError: it is no whole number, or smaller.
    """
    found = _finite(value)
    if found is None or found < least or found != int(found):
        raise ValueError(f"{_shown(name, value)}: give a whole number, {least} or more.{_missing(value)}")
    exact = isinstance(value, int) or (isinstance(value, str) and value.strip().isdecimal())
    return int(value) if exact else int(found)  # type: ignore[call-overload]


def seconds(name: str, duration: float | timedelta | str) -> float:
    """
    Return an argument that is a duration.

    :param name: the argument, for the error's text.
    :raises ValueError: it is no number of seconds, or less than 0.
    """
    return number(name, duration.total_seconds() if isinstance(duration, timedelta) else duration)


def require_durations(**durations: float | timedelta | str | None) -> None:
    """
    Check arguments when the DAG is parsed, as far as they are no templates.

    :raises ValueError: one is no number of seconds, or less than 0.
    """
    for name, duration in durations.items():
        if isinstance(duration, int | float | timedelta):
            seconds(name, duration)


def limit(name: str, value: object, least: int = 0) -> int | None:
    """Return an argument that limits something; ``None``: no limit. :raises ValueError: see :func:`whole_number`."""
    return None if value is None else whole_number(name, value, least)


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) else None


def _shown(name: str, value: object) -> str:
    # repr() refuses to write numbers of thousands of digits
    return f"{name} is {'too large' if isinstance(value, int) and value.bit_length() > 400 else cut(repr(value), 80)}"


def _missing(value: object) -> str:
    if value is not None and not (isinstance(value, str) and value.strip() in ("", "None")):
        return ""
    why = "A template renders to this when the value that it names is missing"
    return f" {why}: it is not known, which does not mean 0."
