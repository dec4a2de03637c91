"""
How far back a sensor looks: read from the text of the DAG's file.

Airflow stores neither ``execution_delta`` nor ``execution_date_fn`` of an ExternalTaskSensor, but it stores the file.
"""

from __future__ import annotations

import ast

WORDS = ("execution_delta", "execution_date_fn")
UNITS = {"weeks": 604800.0, "days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}
ORDER = ("days", "seconds", "microseconds", "milliseconds", "minutes", "hours", "weeks")


def sensor_offset(source: str | None, task_id: str) -> float | None:
    """
    Return how many seconds before its own logical date a sensor looks; 0: at the same date; None: not known.

    :param source: text of the file that makes the sensor; None: there is none.
    """
    if source is None:
        return None
    if not any(word in source for word in WORDS):
        return 0.0
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return None
    nodes = list(ast.walk(tree))
    if any(_constant(node) in WORDS for node in nodes):  # as in default_args={"execution_delta": ...}
        return None
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    names = {task_id, task_id.rpartition(".")[2]}  # inside a task group the file has only the last part
    own = [call for call in calls if _constant(_argument(call, "task_id")) in names]
    return _offset(own[0]) if len(own) == 1 else None


def _argument(call: ast.Call, name: str) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == name), None)


def _constant(node: ast.AST | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _offset(call: ast.Call) -> float | None:
    if any(keyword.arg is None for keyword in call.keywords) or _argument(call, "execution_date_fn") is not None:
        return None  # ``**arguments`` may hold anything
    delta = _argument(call, "execution_delta")
    if delta is None and ast.unparse(call.func).endswith(".partial"):
        return None  # it may differ by index
    return 0.0 if delta is None or (isinstance(delta, ast.Constant) and delta.value is None) else _seconds(delta)


def _seconds(node: ast.expr) -> float | None:
    """Return the seconds of ``timedelta(...)`` with plain numbers; None: it is something else."""
    if not isinstance(node, ast.Call) or not ast.unparse(node.func).endswith("timedelta"):
        return None
    parts: list[tuple[str | None, ast.expr]] = [*zip(ORDER, node.args, strict=False)]
    parts += [(keyword.arg, keyword.value) for keyword in node.keywords]
    total = 0.0
    for name, value in parts:
        number = _number(value)
        if name not in UNITS or number is None:
            return None
        total += UNITS[name] * number
    return total


def _number(node: ast.expr) -> float | None:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
