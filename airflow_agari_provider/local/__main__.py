"""``python -m airflow_agari_provider.local demo | aws | emr``: the demo, or one part of the embedded AWS."""

from __future__ import annotations

import importlib
import sys
from importlib.util import find_spec
from typing import NamedTuple


class Command(NamedTuple):
    """
    A command.

    :param module: has its ``main``.
    :param needs: modules of the extra ``[local]`` without which it, or a process that it starts, cannot work.
    """

    module: str
    does: str
    needs: tuple[str, ...]


COMMANDS = {
    "demo": Command(
        "demo.demo",
        "run a day of the scoring pipeline, from messages to the correctness report",
        ("aiosmtpd", "flask", "moto", "psutil", "pyspark"),
    ),
    "aws": Command("aws", "serve S3, SQS, SNS and EMR's API over HTTP on this machine", ("flask", "moto", "psutil")),
    "emr": Command("emr.runner", "run the EMR steps of the embedded AWS with local Spark", ("psutil", "pyspark")),
}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print("usage: python -m airflow_agari_provider.local COMMAND [--help]\n")
        for name, command in COMMANDS.items():
            print(f"  {name:<6} {command.does}")
        return 2
    command = COMMANDS[arguments[0]]
    if missing := [name for name in command.needs if find_spec(name) is None]:
        print(
            f"The command {arguments[0]} needs packages that are not installed: {', '.join(missing)}.\n"
            "Install them with: pip install 'airflow-agari-provider[local]'",
            file=sys.stderr,
        )
        return 1
    module = importlib.import_module(f"airflow_agari_provider.local.{command.module}")
    return int(module.main(arguments[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
