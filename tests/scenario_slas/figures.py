"""What the scenarios measure, and where they put it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.fix_alerts import AlertServices


def told(services: AlertServices, run_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Requests about one run."""
    date = run_id.partition("__")[2][:19]
    return [(path, body) for path, body in services.received if body.get("run_id") == run_id or date in str(body)]


def seconds_after_deadline(services: AlertServices, run_id: str) -> dict[str, float]:
    """From the deadline of each task (``run`` for the run) to when its incident was opened."""
    seconds = {}
    for moment, (_, body) in zip(services.moments, services.received, strict=True):
        if body.get("run_id") == run_id and "state_start_time" in body:
            seconds[body.get("task_id", "run")] = round(moment - body["state_start_time"], 1)
    return seconds


def print_figures(**figures: Any) -> None:
    """Show them, and keep them for the last line of ``make scenario-slas``."""
    line = json.dumps(figures)
    print(line)
    if report := os.environ.get("SCENARIO_REPORT"):
        with Path(report).open("a") as file:
            print(line, file=file)
