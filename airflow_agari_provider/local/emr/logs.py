"""What people can read after a step of the local EMR: its logs, where EMR keeps them, and why it failed."""

from __future__ import annotations

import gzip
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_agari_provider.s3.urls import split_url

logger = logging.getLogger(__name__)

TAIL = 1_000_000  # bytes at the end of a log that are searched for the error
MESSAGE_LIMIT = 2000  # characters of FailureDetails.Message
TRACEBACK = "Traceback (most recent call last):"
ERROR_LINE = re.compile(r"^[\w.$]+(Error|Exception|Interrupt|Exit)\b")


@dataclass(frozen=True)
class StepOrder:
    """
    A step as EMR's books give it to a runner.

    :param logs: folder of its logs below ``log_uri``; empty: where EMR keeps those of a step.
    """

    cluster_id: str
    step_id: str
    log_uri: str | None
    jar: str
    arguments: list[str]
    logs: str = ""


def last_error(folder: Path) -> str:
    """
    Return what went wrong, in one line or two: the last exception, and the cause that the JVM names.

    Spark writes the errors of a Python driver to its own standard output (``PythonRunner``), so both logs are searched.
    """
    errors, output = _tail(folder / "stderr"), _tail(folder / "stdout")
    message = _exception(errors + output) or next((line for line in reversed(errors) if line.strip()), "")
    causes = [line for line in errors + output if line.startswith("Caused by: ")]
    if causes and "Py4JJavaError" in message:  # which only says that there was an exception in the JVM
        message = f"{message}\n{causes[-1]}"
    return message[:MESSAGE_LIMIT]


def _tail(file: Path) -> list[str]:
    if not file.exists():
        return []
    with file.open("rb") as log_file:
        log_file.seek(max(0, file.stat().st_size - TAIL))
        return log_file.read().decode(errors="replace").splitlines()


def _exception(lines: list[str]) -> str | None:
    """
    Return the line below Python's last traceback, after which the JVM's own stack trace may follow.

    Without a traceback, return the last line that looks like an exception.
    """
    if TRACEBACK in lines:
        below = lines[len(lines) - lines[::-1].index(TRACEBACK) :]
        return next((line for line in below if line and not line.startswith(" ")), None)
    return next((line for line in reversed(lines) if ERROR_LINE.match(line)), None)


def log_folder(order: StepOrder) -> str | None:
    """Return the URL of the folder where EMR keeps the logs of a step, with a slash at the end; None without logs."""
    logs = order.logs or f"{order.cluster_id}/steps/{order.step_id}"
    return f"{order.log_uri.rstrip('/')}/{logs}/" if order.log_uri else None


def failure_details(order: StepOrder, message: str) -> dict[str, str]:
    folder = log_folder(order)
    return {
        "Reason": "Unknown Error.",
        "Message": message[:MESSAGE_LIMIT],
        **({"LogFile": f"{folder}stderr.gz"} if folder else {}),
    }


def save_logs(s3: Any, order: StepOrder, folder: Path) -> None:
    """
    Write stdout and stderr, compressed, to where EMR writes them.

    If the bucket does not exist, only the logs are lost: the step does not fail.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    target = log_folder(order)
    if not target:
        return
    bucket, prefix = split_url(target)
    for name in ("stdout", "stderr"):
        file = folder / name
        try:
            body = gzip.compress(file.read_bytes() if file.exists() else b"")
            s3.put_object(Bucket=bucket, Key=f"{prefix}{name}.gz", Body=body)
        except (BotoCoreError, ClientError) as error:
            logger.warning("The logs of step %s cannot be written to %s: %s", order.step_id, target, error)
            return
