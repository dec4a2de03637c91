"""
``make scenario-slas``: SLAs in Airflows of real processes; what happens is printed, the last line is one JSON object.

The short form is ``tests/end_to_end/test_slas.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
AIRFLOWS = {"airflow_3": ROOT / ".venv/bin/python", "airflow_2": ROOT / ".venv-airflow2/bin/python"}
SCENARIOS = ("each_case", "two_of_each", "lost_and_hung")


def main() -> int:
    figures: dict[str, Any] = {}
    codes = []
    with tempfile.TemporaryDirectory(prefix="agari-slas-") as folder:
        for scenario in SCENARIOS:
            for airflow, python in AIRFLOWS.items():
                print(f"{scenario}, {airflow}", flush=True)
                report = Path(folder) / f"{scenario}-{airflow}"
                report.touch()
                began = time.monotonic()
                tests = ["-m", "pytest", "-q", "-s", "--no-header", f"tests/scenario_slas/{scenario}.py"]
                settings = {**os.environ, "SCENARIO_REPORT": str(report)}
                codes.append(subprocess.run([python, *tests], env=settings, cwd=ROOT).returncode)
                for line in report.read_text().splitlines():
                    figures |= {f"{airflow}_{name}": figure for name, figure in json.loads(line).items()}
                figures[f"{airflow}_{scenario}_seconds"] = round(time.monotonic() - began)
    print(table(figures))
    print(json.dumps({**figures, "holds": not any(codes)}))
    return max(codes)


def table(figures: dict[str, Any]) -> str:
    """Show each figure for both Airflows, one line each."""
    names = dict.fromkeys(name.partition("_")[2].partition("_")[2] for name in figures)
    rows = [["", "Airflow 3", "Airflow 2.11"]]
    for name in names:
        found = [figures.get(f"{airflow}_{name}", "") for airflow in AIRFLOWS]
        told = [max(one.values()) if isinstance(one, dict) else one for one in found]  # of several tasks the slowest
        rows.append([name.replace("_", " "), *map(str, told)])
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
