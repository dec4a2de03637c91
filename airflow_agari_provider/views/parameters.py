"""The parameters of the charts' API: one table for the parser, its errors and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from airflow_agari_provider.charts.rows import Position
from airflow_agari_provider.exceptions import BadQuestion, cut, one_of_text

MOST_RUNS = 1000  # in one answer
COMPARED_UNASKED = 200  # runs; up to this many are compared with earlier runs by default
MOST_DAYS = 400  # in one answer
MOST_VALUES = 500  # of one repeatable parameter
MAPPED = ("sum", "longest")
LATEST = 253402300799  # epoch seconds: the end of the year 9999
POSITION = r"^[0-9]{1,12}(\.[0-9]{1,9})?(-[0-9]{1,15})?$"
A_POSITION = "epoch seconds, or what an answer has as window.before or window.after"


@dataclass(frozen=True)
class TriesQuestion:
    """
    A request for the tries of one DAG.

    :param runs: how many runs.
    :param before: only the newest runs before this position.
    :param after: only the oldest runs after this position. Not together with ``before``.
    :param task_ids: all tasks if empty; the types and states of runs likewise.
    :param mapped: the time of a mapped task: ``sum`` of all its indexes, or its ``longest`` index.
    :param compare: add the figures of the same number of runs before these.
    :param since, until: only runs due from ``since`` on and before ``until``, in epoch seconds.
    """

    runs: int
    before: Position | None
    after: Position | None
    task_ids: tuple[str, ...]
    run_types: tuple[str, ...]
    run_states: tuple[str, ...]
    mapped: str
    compare: bool
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class IndexesQuestion:
    """A request for the indexes of a mapped task in one run."""

    run_id: str
    task_id: str


@dataclass(frozen=True)
class DaysQuestion:
    """
    A request for the days of one DAG.

    :param since, until: epoch seconds; None: 366 days up to now.
    :param zone: name of the time zone of the days.
    """

    since: float | None
    until: float | None
    zone: str


@dataclass(frozen=True)
class OverviewQuestion:
    """A request for all DAGs. :param days: length of the window, back from now."""

    days: int


LONGEST = 1000  # characters of one value; Airflow's own ids have at most 250


def is_text(value: str) -> bool:
    """Whether a value can be an id or a name: PostgreSQL refuses NUL in a text, and no file has such a name."""
    return len(value) <= LONGEST and "\0" not in value


def require_texts(arguments: Iterable[tuple[str, str]]) -> None:
    """Check the parameters of any route, before anything uses them. :raises BadQuestion: one of them is not text."""
    for name, value in arguments:
        if not (is_text(name) and is_text(value)):
            problem = (
                f"{_shown(name)!r} is a text of at most {LONGEST:,} characters without NUL, not {_shown(value)!r}."
            )
            raise BadQuestion(name, value, problem)


MOMENT = {"type": "number", "minimum": 0, "maximum": LATEST}
SPAN: dict[str, dict[str, Any]] = {
    "since": {**MOMENT, "description": "Only runs due from this moment on, in epoch seconds."},
    "until": {**MOMENT, "description": "Only runs due before this moment, in epoch seconds."},
}
TRIES_PARAMETERS: dict[str, dict[str, Any]] = {
    "runs": {"type": "integer", "minimum": 1, "maximum": MOST_RUNS, "default": 100, "description": "Number of runs."},
    "before": {
        "type": "string",
        "pattern": POSITION,
        "description": f"Show the newest of the runs before this: {A_POSITION}.",
    },
    "after": {
        "type": "string",
        "pattern": POSITION,
        "description": f"Show the oldest of the runs after this: {A_POSITION}. Not together with before.",
    },
    **SPAN,
    "task_id": {"type": "array", "items": {"type": "string"}, "description": "Only these tasks."},
    "run_type": {
        "type": "array",
        "items": {"type": "string"},
        "description": "Only runs of these types, such as scheduled, manual, backfill, asset_triggered.",
    },
    "run_state": {
        "type": "array",
        "items": {"type": "string", "enum": ["success", "failed", "running", "queued"]},
        "description": "Only runs in these states.",
    },
    "mapped": {
        "type": "string",
        "enum": list(MAPPED),
        "default": "sum",
        "description": "Time of a mapped task: the sum of all its indexes, or its longest index.",
    },
    "compare": {
        "type": "string",
        "enum": ["true", "false"],
        "description": (
            "Whether to add the figures of the same number of runs before these, which takes twice as long; "
            f"default: true for up to {COMPARED_UNASKED} runs."
        ),
    },
}
OVERVIEW_PARAMETERS: dict[str, dict[str, Any]] = {
    "days": {"type": "integer", "minimum": 1, "maximum": 366, "default": 30, "description": "Days back from now."}
}


INDEXES_PARAMETERS: dict[str, dict[str, Any]] = {
    "run_id": {"type": "string", "description": "The run; required."},
    "task_id": {"type": "string", "description": "The mapped task; required."},
}
DAYS_PARAMETERS: dict[str, dict[str, Any]] = {
    **SPAN,
    "time_zone": {
        "type": "string",
        "default": "UTC",
        "description": "Time zone in which the days begin, such as Europe/Berlin.",
    },
}


def tries_question(arguments: Iterable[tuple[str, str]]) -> TriesQuestion:
    """
    Parse the parameters of a request.

    :param arguments: name and value of each parameter.
    :raises BadQuestion: a parameter or a value is not allowed.
    """
    values = parsed(arguments, TRIES_PARAMETERS)
    if values["before"] and values["after"]:
        raise BadQuestion("after", values["after"], "Give before or after, not both.")
    return TriesQuestion(
        values["runs"],
        _position("before", values["before"]),
        _position("after", values["after"]),
        values["task_id"],
        values["run_type"],
        values["run_state"],
        values["mapped"],
        values["compare"] == "true" if values["compare"] else values["runs"] <= COMPARED_UNASKED,
        *_span(values),
    )


def _span(values: dict[str, Any]) -> tuple[float | None, float | None]:
    since, until = values["since"], values["until"]
    if since is not None and until is not None and since >= until:
        raise BadQuestion("until", f"{until}", f"until is later than since, not {until:.0f} and {since:.0f}.")
    return since, until


def indexes_question(arguments: Iterable[tuple[str, str]]) -> IndexesQuestion:
    """Parse the parameters of a request. :raises BadQuestion: a parameter is missing or not allowed."""
    values = parsed(arguments, INDEXES_PARAMETERS)
    for name, value in values.items():
        if not value:
            raise BadQuestion(name, "", f"Give {name}: the answer is about one task in one run.")
    return IndexesQuestion(**values)


def days_question(arguments: Iterable[tuple[str, str]]) -> DaysQuestion:
    """Parse the parameters of a request. :raises BadQuestion: a parameter or a value is not allowed."""
    values = parsed(arguments, DAYS_PARAMETERS)
    since, until = _span(values)
    if since is not None and until is not None and until - since > MOST_DAYS * 86400:
        raise BadQuestion("since", f"{since}", f"since and until are at most {MOST_DAYS} days apart.")
    if values["time_zone"] not in _time_zones():
        raise _not_allowed("time_zone", values["time_zone"], "a name such as Europe/Berlin")
    return DaysQuestion(since, until, values["time_zone"])


@cache
def _time_zones() -> frozenset[str]:
    """Return the known names. (A name that is not known could be a path to a file.)"""
    return frozenset(available_timezones()) | {"UTC"}


def _position(name: str, text: str | None) -> Position | None:
    if text is None:
        return None
    due, _, run = text.partition("-")
    if not re.fullmatch(POSITION, text) or float(due) > LATEST:
        raise _not_allowed(name, text, A_POSITION)
    return Position(float(due), int(run) if run else None)


def no_question(arguments: Iterable[tuple[str, str]]) -> None:
    """Check that there is no parameter. :raises BadQuestion: there is one."""
    for name, value in arguments:
        raise BadQuestion(name, value, f"There is no parameter {_shown(name)}; this address takes none.")


def overview_question(arguments: Iterable[tuple[str, str]]) -> OverviewQuestion:
    """Parse the parameters of a request. :raises BadQuestion: a parameter or a value is not allowed."""
    return OverviewQuestion(parsed(arguments, OVERVIEW_PARAMETERS)["days"])


def parsed(arguments: Iterable[tuple[str, str]], parameters: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the value of each parameter of a table. :raises BadQuestion: a parameter or a value is not allowed."""
    given: dict[str, list[str]] = {}
    for name, value in arguments:
        if name not in parameters:
            known = ", ".join(parameters)
            raise BadQuestion(name, value, f"There is no parameter {_shown(name)}; the parameters are {known}.")
        given.setdefault(name, []).append(value)
    return {name: _values(name, given.get(name, []), schema) for name, schema in parameters.items()}


def _values(name: str, values: list[str], schema: dict[str, Any]) -> Any:
    if schema["type"] == "array":
        if len(values) > MOST_VALUES:
            raise BadQuestion(name, values[-1], f"Give {name} at most {MOST_VALUES} times, not {len(values)} times.")
        return tuple(_value(name, value, schema["items"]) for value in values)
    return _value(name, values[-1], schema) if values else schema.get("default")


def _value(name: str, value: str, schema: dict[str, Any]) -> Any:
    if "enum" in schema and value not in schema["enum"]:
        raise BadQuestion(name, value, f"{one_of_text(name, schema['enum'], _shown(value))}.")
    if schema["type"] == "string":
        return value
    low, high = schema["minimum"], schema["maximum"]
    allowed = f"a{'n integer' if schema['type'] == 'integer' else ' number'} from {low} to {high}"
    try:
        number = int(value) if schema["type"] == "integer" else float(value)
    except ValueError:
        raise _not_allowed(name, value, allowed) from None
    if not low <= number <= high:
        raise _not_allowed(name, value, allowed)
    return number


def _not_allowed(name: str, value: str, allowed: str) -> BadQuestion:
    return BadQuestion(name, value, f"{name} is {allowed}, not {_shown(value)!r}.")


def _shown(text: str) -> str:
    return cut(text, 80)


def openapi(parameters: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the parameters as an OpenAPI document lists them."""
    return [
        {
            "name": name,
            "in": "query",
            "required": schema.get("required", False),
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key not in ("description", "required")},
        }
        for name, schema in parameters.items()
    ]
