"""``python -m airflow_agari_provider.local demo | aws | emr``: the demo, or one part of the embedded AWS."""

from __future__ import annotations

import importlib
import sys

COMMANDS = {
    "demo": ("demo.demo", "run a day of the scoring pipeline, from messages to the correctness report"),
    "aws": ("aws", "serve S3, SQS, SNS and EMR's API over HTTP on this machine"),
    "emr": ("emr.runner", "run the EMR steps of the embedded AWS with local Spark"),
}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in COMMANDS:
        print("usage: python -m airflow_agari_provider.local COMMAND [--help]\n")
        for name, (_, text) in COMMANDS.items():
            print(f"  {name:<6} {text}")
        return 2
    module = importlib.import_module(f"airflow_agari_provider.local.{COMMANDS[arguments[0]][0]}")
    return int(module.main(arguments[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
