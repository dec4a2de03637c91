"""The command ``agari``: what people and cron do about a running pipeline, outside of Airflow's web pages."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from airflow_agari_provider.commands import alerts, blast_radius, jobs
from airflow_agari_provider.exceptions import AgariError

# Each adds its commands to the parser. A command's function takes the parsed arguments, and returns the exit code and
# the text for standard output.
ROOMS = (alerts, blast_radius, jobs)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(prog="agari", description="Commands of airflow-agari-provider.")
    rooms = top.add_subparsers(required=True, metavar="COMMAND")
    for room in ROOMS:
        room.add_to(rooms)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Run a command. Return its exit code.

    0; 1 if something is wrong that is told on standard error; 2 for a wrong command line; others as its help says.
    """
    told = parser().parse_args(arguments)
    # Airflow 3 reads connections of its database only in processes that say that they may; `airflow` itself needs none.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    try:
        with redirect_stdout(sys.stderr):  # Airflow 2.11 writes its log to standard output
            code, text = told.run(told)
    except AgariError as error:
        print(f"agari: {error}", file=sys.stderr)
        return 1
    print(text)
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
