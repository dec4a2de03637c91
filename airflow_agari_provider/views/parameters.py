"""The parameters of the charts' API: one table for the parser, its errors and the OpenAPI document."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from airflow_agari_provider.charts.rows import Position
from airflow_agari_provider.exceptions import BadQuestion, cut, one_of_text

MOST_RUNS = 1000  # in one answer
COMPARED_UNASKED = 200  # runs; up to this many are compared with earlier runs by default
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
    """

    runs: int
    before: Position | None
    after: Position | None
    task_ids: tuple[str, ...]
    run_types: tuple[str, ...]
    run_states: tuple[str, ...]
    mapped: str
    compare: bool


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
    )


def _position(name: str, text: str | None) -> Position | None:
    if text is None:
        return None
    due, _, run = text.partition("-")
    if not re.fullmatch(POSITION, text) or float(due) > LATEST:
        raise _not_allowed(name, text, A_POSITION)
    return Position(float(due), int(run) if run else None)


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
            "required": False,
            "description": schema["description"],
            "schema": {key: value for key, value in schema.items() if key != "description"},
        }
        for name, schema in parameters.items()
    ]
