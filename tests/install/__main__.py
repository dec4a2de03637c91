"""
Install the wheel as strangers do, into each Airflow with each kind of versions beside it, and check it there.

``python -m tests.install [--airflow X] [--versions KIND] [--python Y]``: a cell of the table for each. A whole run
writes the table into docs/versions.md. It exits with 1 if a cell failed that no line of ``KNOWN`` explains.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "versions.md"
BEGIN, END = "<!-- written by make test-install -->", "<!-- end -->"
UV = Path(sys.executable).with_name("uv")
TIMEOUT = 900  # seconds, for each command of a cell
# Airflow: the day after its release, and the list of versions that work with it
AIRFLOWS = {
    "3.4.0b2": ("2026-10-21", "airflow-3.4.txt"),
    "3.3.2": ("2026-09-18", "airflow-3.3.txt"),
    "3.2.2": ("2026-05-30", "airflow-3.2.txt"),
    "3.1.8": ("2026-03-12", "airflow-3.1.txt"),
    "2.11.2": ("2026-03-15", "airflow-2.11.txt"),
}
KINDS = {
    "ours": "the list in constraints/",
    "official day": "what was newest on the day of Airflow's release, as in Airflow's own constraints of it",
    "lowest": "the lowest versions that this package allows, the rest as on that day",
    "newest": "what is newest now",
}
PYTHONS = ("3.11", "3.12", "3.13")
# Cells that cannot work, whatever this package does: (Airflow, kind, Python), where None stands for any
KNOWN = {
    ("2.11.2", None, "3.13"): "Airflow 2.11 does not support Python 3.13",
    (
        "3.2.2",
        "newest",
        None,
    ): "every task of Airflow 3.2 itself fails with the newest fastapi; use its own constraints",
}


class Cell(NamedTuple):
    airflow: str
    kind: str
    python: str

    @property
    def reason(self) -> str:
        """Why it cannot work; empty: it can."""
        for known, reason in KNOWN.items():
            if all(one in (None, own) for one, own in zip(known, self, strict=True)):
                return reason
        return ""


class Outcome(NamedTuple):
    """:param problem: the end of what the failed command printed; empty: all checks passed."""

    cell: Cell
    seconds: float
    problem: str


class Failed(Exception):
    """A command of a cell failed."""


def command(*words: str | Path, log: Path) -> None:
    """:raises Failed: with the end of what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "VIRTUAL_ENV"))}
    with log.open("a") as output:
        output.write(f"\n$ {' '.join(map(str, words))}\n")
        output.flush()
        try:
            done = subprocess.run(words, stdout=output, stderr=output, env=environment, check=False, timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            raise Failed(f"{words[0]} took longer than {TIMEOUT} s") from None
    if done.returncode:
        lines = [line for line in log.read_text().splitlines() if line.strip()]
        raise Failed(" ".join(lines[-3:])[-400:])


def versions(cell: Cell, folder: Path, log: Path) -> Path:
    """Write the list of versions of a cell."""
    day, ours = AIRFLOWS[cell.airflow]
    if cell.kind == "ours":
        return ROOT / "constraints" / ours
    wanted, found = folder / "wanted.txt", folder / "versions.txt"
    airflow = [f"apache-airflow=={cell.airflow}"]
    # Airflow's own packages too: of a beta, the resolver takes only those that are asked for
    parts = ("apache-airflow-core==", "apache-airflow-task-sdk==")
    if "b" in cell.airflow:
        airflow += [line for line in (ROOT / "constraints" / ours).read_text().splitlines() if line.startswith(parts)]
    wanted.write_text("\n".join([*airflow, f"airflow-agari-provider[postgres] @ {folder.as_uri()}/{wheel(folder)}"]))
    options = [
        "--python-version",
        cell.python,
        "--prerelease",
        "if-necessary-or-explicit",
        "--no-annotate",
        "--no-header",
    ]
    if cell.kind != "newest":
        options += ["--exclude-newer", day]
    if cell.kind == "lowest":  # Airflow is pinned, so these are the package's own dependencies
        options += ["--resolution", "lowest-direct"]
        wanted.write_text("\n".join([*airflow, *floors()]))
    command(UV, "pip", "compile", "--quiet", *options, wanted, "--output-file", found, log=log)
    kept = [line for line in found.read_text().splitlines() if "airflow-agari-provider" not in line]
    found.write_text("\n".join(kept) + "\n")
    return found


def floors() -> list[str]:
    """The package's own requirements, which ``lowest-direct`` takes at their lowest."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["postgres"]]
    return [one for one in needed if not one.startswith("apache-airflow>")]


def wheel(folder: Path) -> str:
    (found,) = folder.glob("*.whl")
    return found.name


def try_cell(cell: Cell, built: Path, parent: Path) -> Outcome:
    begun = time.monotonic()
    folder = parent / "-".join(cell).replace(" ", "-")
    folder.mkdir()
    log = folder / "log.txt"
    shutil.copy(next(built.glob("*.whl")), folder)
    python = folder / "venv" / "bin" / "python"
    problem = cell.reason
    if not problem:
        try:
            pins = versions(cell, folder, log)
            command(UV, "venv", "--quiet", "--seed", "--python", interpreter(cell.python), folder / "venv", log=log)
            named = [f"apache-airflow=={cell.airflow}", f"{folder / wheel(folder)}[postgres]"]
            # uv brings what the wheel needs, several times as fast as pip would. Then pip, as its user runs it, has to
            # find that all of it fits, and installs the wheel. Airflow is named, so that it stays.
            install = [UV, "pip", "install", "--quiet", "--python", python, "--prerelease", "if-necessary-or-explicit"]
            command(*install, *named, "--constraint", pins, log=log)
            command(UV, "pip", "uninstall", "--quiet", "--python", python, "airflow-agari-provider", log=log)
            pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            command(*pip, *named, "--constraint", pins, log=log)
            command(python, "-m", "pip", "check", "--disable-pip-version-check", log=log)
            command(python, "-I", ROOT / "tests" / "install" / "check.py", folder / "home", log=log)
        except Failed as error:
            problem = str(error)
    shutil.rmtree(folder / "venv", ignore_errors=True)
    return Outcome(cell, time.monotonic() - begun, problem)


def interpreter(python: str) -> str | None:
    """Path of a Python of this machine: on the PATH, or installed by pyenv. None: there is none."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{python}.*/bin/python{python}"))
    for path in filter(None, (shutil.which(f"python{python}"), *map(str, pyenv))):
        if subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


def table(outcomes: Sequence[Outcome], pythons: Sequence[str]) -> Iterator[str]:
    by_cell = {outcome.cell: outcome for outcome in outcomes}
    reasons: list[str] = []
    yield "| Airflow | versions beside it | " + " | ".join(f"Python {python}" for python in pythons) + " |"
    yield "|---|---|" + "---|" * len(pythons)
    for airflow in AIRFLOWS:
        for kind in KINDS:
            shown = []
            for python in pythons:
                outcome = by_cell.get(Cell(airflow, kind, python))
                if outcome is None:
                    shown.append("")
                elif not outcome.problem:
                    shown.append(f"ok, {outcome.seconds:.0f} s")
                elif reason := outcome.cell.reason:
                    if reason not in reasons:
                        reasons.append(reason)
                    shown.append(f"no ({reasons.index(reason) + 1})")
                else:
                    shown.append("**failed**")
            yield f"| {airflow} | {kind} | " + " | ".join(shown) + " |"
    yield ""
    for number, reason in enumerate(reasons, 1):
        yield f"{number}. {reason}."
    untried = [version for version in PYTHONS if version not in pythons]
    if untried:
        yield f"Not tried, because the machine does not have it: Python {', '.join(untried)}."


def write_page(lines: Sequence[str]) -> None:
    text = PAGE.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    told = f"Tried on {datetime.now(UTC):%Y-%m-%d}."
    PAGE.write_text("\n".join([before + BEGIN, "", told, "", *lines, "", END]) + after)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--airflow", choices=AIRFLOWS, action="append")
    parser.add_argument("--versions", choices=KINDS, action="append")
    parser.add_argument("--python", choices=PYTHONS, action="append")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    pythons = [version for version in chosen.python or PYTHONS if interpreter(version)]
    cells = [
        Cell(airflow, kind, python)
        for airflow in chosen.airflow or AIRFLOWS
        for kind in chosen.versions or KINDS
        for python in pythons
    ]
    whole = not (chosen.airflow or chosen.versions or chosen.python)
    parent = Path(tempfile.mkdtemp(prefix="agari-install-"))
    subprocess.run([UV, "build", "--quiet", "--wheel", "--out-dir", parent / "dist", ROOT], check=True)
    outcomes = []
    with ThreadPoolExecutor(chosen.jobs) as pool:
        for outcome in pool.map(lambda cell: try_cell(cell, parent / "dist", parent), cells):
            outcomes.append(outcome)
            told = "ok" if not outcome.problem else outcome.problem
            print(f"{outcome.seconds:6.0f} s  {'  '.join(outcome.cell):<28}  {told}", flush=True)
    lines = list(table(outcomes, pythons))
    print("\n".join(lines))
    if whole:
        write_page(lines)
    failed = [outcome for outcome in outcomes if outcome.problem and not outcome.cell.reason]
    print(f"logs: {parent}")
    print(json.dumps({"cells": len(outcomes), "ok": sum(not one.problem for one in outcomes), "failed": len(failed)}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
