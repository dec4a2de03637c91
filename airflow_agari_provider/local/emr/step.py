"""One step of the local EMR: stages its input, runs its spark-submit, uploads its output, and keeps its logs."""

from __future__ import annotations

import logging
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.local.emr.logs import StepOrder, failure_details, last_error, save_logs
from airflow_agari_provider.local.emr.spark_setup import SparkSetup
from airflow_agari_provider.local.emr.spark_submit import local_command, parse_step
from airflow_agari_provider.local.emr.staging import StagingFolder, s3_prefixes
from airflow_agari_provider.local.emr.step_processes import STEP_MARK, ask_to_end, end_processes

logger = logging.getLogger(__name__)

LOOK = 0.1  # seconds between two checks whether the step should stop


@dataclass
class StepEnd:
    """How a step ended: the arguments of ``books.finish``."""

    state: str
    reason: str | None = None
    failure_details: dict[str, str] | None = None
    uploads: list[dict[str, str]] = field(default_factory=list)
    deletions: list[dict[str, str]] = field(default_factory=list)


class StepStopped(AgariError):
    """
    Another thread told the step to stop.

    :param state: state in which the step ends.
    :param reason: why it was stopped, as a person reads it.
    """

    def __init__(self, state: str, reason: str) -> None:
        super().__init__(state, reason)
        self.state, self.reason = state, reason

    def __str__(self) -> str:
        return f"The step was told to end in the state {self.state}: {self.reason}"


@dataclass
class StepRun:
    """
    One run of one step, in a folder of its own and in one thread.

    :param folder: created by ``run``, removed by ``clean``.
    """

    order: StepOrder
    folder: Path
    s3: Any
    spark: SparkSetup
    stage: StagingFolder = field(init=False)
    _asked: StepStopped | None = None
    _stop: StepStopped | None = None

    def __post_init__(self) -> None:
        self.stage = StagingFolder(self.s3, self.folder / "s3")

    def stop(self, state: str, reason: str, kill: bool = True) -> None:
        """
        Tell the step, from another thread, to end in this state. Only the first call of each kind counts.

        :param kill: False: send SIGTERM once. A step that ignores it goes on.
        """
        self._asked = self._asked or StepStopped(state, reason)
        if kill:
            self._stop = self._stop or self._asked

    def run(self) -> StepEnd:
        """Run the step and return how it ended. Its uploads are not visible yet: ``books.finish`` completes them."""
        from botocore.exceptions import BotoCoreError, ClientError

        (self.folder / "tmp").mkdir(parents=True, exist_ok=True)
        started = time.monotonic()
        try:
            end = self._run()
        except StepStopped as stopped:
            end = StepEnd(stopped.state, stopped.reason)
        except (AgariError, BotoCoreError, ClientError, OSError) as error:
            self._note(f"{type(error).__name__}: {error}")
            end = StepEnd("FAILED", str(error))
        if end.state == "FAILED":
            message = last_error(self.folder) or end.reason or ""
            end.failure_details = failure_details(self.order, message)
        save_logs(self.s3, self.order, self.folder)
        logger.info(
            "Step %s %s after %.1f s %s", self.order.step_id, end.state, time.monotonic() - started, end.reason or ""
        )
        return end

    def clean(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self) -> StepEnd:
        submit = parse_step(self.order.jar, self.order.arguments)
        fetched = self.stage.fetch(s3_prefixes(self.order.arguments))
        if self._asked:
            raise self._asked
        logger.info("Step %s runs %s on %d objects", self.order.step_id, submit.application, fetched)
        command = local_command(submit, self.spark.home, self.stage.folder, self.spark.register_jar, self.spark.memory)
        code = self._spark_submit(command)
        if code and self._asked:
            raise self._asked
        if code:
            return StepEnd("FAILED", f"exit code {code}" if code > 0 else f"killed by signal {-code}")
        uploads = self.stage.upload(self.stage.changed())
        self._stop_here()
        return StepEnd("COMPLETED", uploads=uploads, deletions=self.stage.deleted())

    def _spark_submit(self, command: list[str]) -> int:
        with (self.folder / "stdout").open("wb") as output, (self.folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env={**self.spark.environment, "TMPDIR": str(self.folder / "tmp"), STEP_MARK: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
            asked = False
            try:
                while process.poll() is None:
                    self._stop_here()
                    if self._asked and not asked:
                        ask_to_end(self.folder)
                        asked = True
                    time.sleep(LOOK)
                return process.returncode
            finally:  # a Python driver may live longer than a JVM that was killed
                end_processes(self.folder)
                process.wait()

    def _stop_here(self) -> None:
        if self._stop:
            raise self._stop

    def _note(self, text: str) -> None:
        with (self.folder / "stderr").open("a") as errors:
            errors.write(text + "\n")
