"""
The node of the local EMR: runs the steps that are in the embedded AWS's books, with local Spark.

It is a process of its own, so that the books survive when it dies. When a runner starts in the folder of an earlier
one, the books take both for the same node. Before it takes a step, it kills the processes that the earlier runner left,
and fails their steps.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import logging
import shutil
import signal
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from airflow_agari_provider.exceptions import AgariError, cut
from airflow_agari_provider.local.emr.java import find_java
from airflow_agari_provider.local.emr.logs import StepOrder, failure_details, save_logs
from airflow_agari_provider.local.emr.spark_setup import SparkSetup, installed_spark, spark_environment
from airflow_agari_provider.local.emr.spark_submit import write_register_jar
from airflow_agari_provider.local.emr.step import StepEnd, StepRun
from airflow_agari_provider.local.emr.step_processes import end_processes

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
POLL_INTERVAL = 0.2  # seconds
REQUEST_TIMEOUT = 60.0  # seconds; the books publish all output of a step in one request


class FolderInUse(AgariError):
    """Another runner uses the folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder

    def __str__(self) -> str:
        return f"Another local EMR uses the folder {self.folder}. Stop it, or give this one a --work-dir of its own."


class BooksFailed(AgariError):
    """
    The embedded AWS could not do what the runner asked.

    :param function: function of the books that was called.
    :param status: status of the HTTP answer.
    :param text: body of the HTTP answer.
    """

    def __init__(self, function: str, status: int, text: str) -> None:
        super().__init__(function, status, text)
        self.function, self.status, self.text = function, status, text

    def __str__(self) -> str:
        return f"The embedded AWS answered HTTP {self.status} to {self.function!r}: {self.text}"


@dataclass(frozen=True)
class Books:
    """The books of the embedded AWS's EMR, over HTTP."""

    endpoint_url: str

    def __call__(self, function: str, **arguments: Any) -> Any:
        """
        Call a function of the books and return its answer.

        :raises OSError: there is no answer.
        :raises BooksFailed: the answer is an error.
        """
        address = f"{self.endpoint_url}/agari-local/emr/{function}"
        request = urllib.request.Request(address, json.dumps(arguments).encode(), method="POST")  # noqa: S310
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # even if http_proxy is set
        try:
            with direct.open(request, timeout=REQUEST_TIMEOUT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = cut(error.read().decode(errors="replace"), 500)
            raise BooksFailed(function, error.code, text) from error


@dataclass
class EmrRunner:
    """
    Runs the steps of the embedded AWS's EMR.

    :param endpoint_url: address of the embedded AWS.
    :param work_dir: folder of its own, whose path is also the node's identity.
    :param spark_home: None: pyspark's folder in this environment.
    :param java_home: None: a Java is looked for. If there is none, that is an error now, not at the first step.
    :param parallel_steps: largest number of steps at the same time, over all clusters; each is a JVM.
    :param memory: memory of each JVM, in Java's notation.
    :param poll_interval: seconds between two requests to the books.
    """

    endpoint_url: str
    work_dir: Path
    spark_home: Path | None = None
    java_home: Path | None = None
    parallel_steps: int = 2
    memory: str = "1g"
    poll_interval: float = POLL_INTERVAL
    _runs: dict[str, StepRun] = field(default_factory=dict, init=False)
    _threads: list[threading.Thread] = field(default_factory=list, init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)

    def __post_init__(self) -> None:
        self.work_dir = self.work_dir.resolve()
        self.node = str(self.work_dir)
        self.books = Books(self.endpoint_url)
        self.s3 = s3_client(self.endpoint_url)
        conf = self.work_dir / "conf"
        conf.mkdir(parents=True, exist_ok=True)
        spark_home = self.spark_home or installed_spark()
        java_home = self.java_home or find_java().home_for_spark(self.work_dir)
        environment = spark_environment(self.endpoint_url, spark_home, java_home, conf)
        self.spark = SparkSetup(spark_home, write_register_jar(self.work_dir), environment, self.memory)

    def run(self, stopped: threading.Event) -> None:
        """
        Work until ``stopped`` is set. The steps that run then are stopped, and fail.

        :raises FolderInUse: another runner uses the folder.
        """
        with self._alone():
            end_processes(self.work_dir / "steps")
            self._persistently(self._fail_what_an_earlier_life_left, stopped)
            while not stopped.wait(self.poll_interval):
                self._persistently(self.look, stopped)
            self._stop_all()

    def look(self) -> None:
        """
        Ask the books once which steps to start and to stop, and do it.

        :raises OSError: the books do not answer.
        """
        running = list(self._runs)
        answer = self.books("orders", node=self.node, running=running, free=self.parallel_steps - len(running))
        for order in ("stop", "kill"):
            for step_id in answer[order]:
                if run := self._runs.get(step_id):
                    run.stop("CANCELLED", "Cancelled by user", kill=order == "kill")
        for order in answer["start"]:
            self._start(StepOrder(**order))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.work_dir / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise FolderInUse(self.work_dir) from None
            yield

    def _persistently(self, ask: Callable[[], Result], stopped: threading.Event) -> Result | None:
        """Ask until there is an answer and return it; None if ``stopped`` is set before."""
        complained = False
        while True:
            try:
                return ask()
            except OSError as error:
                if not complained:
                    logger.warning(
                        "The embedded AWS at %s does not answer; waiting for it: %s", self.endpoint_url, error
                    )
                complained = True
                if stopped.wait(self.poll_interval):
                    return None

    def _fail_what_an_earlier_life_left(self) -> None:
        for held in self.books("held", node=self.node):
            order = StepOrder(**held)
            reason = "The node that ran the step died"
            logger.warning("Step %s FAILED: %s", order.step_id, reason)
            save_logs(self.s3, order, self._folder(order))
            self._finish(order, StepEnd("FAILED", reason, failure_details(order, reason)))
        shutil.rmtree(self.work_dir / "steps", ignore_errors=True)

    def _folder(self, order: StepOrder) -> Path:
        return self.work_dir / "steps" / order.step_id

    def _start(self, order: StepOrder) -> None:
        run = self._runs[order.step_id] = StepRun(order, self._folder(order), self.s3, self.spark)
        thread = threading.Thread(target=self._live, args=[run], name=order.step_id)
        self._threads = [other for other in self._threads if other.is_alive()] + [thread]
        thread.start()

    def _live(self, run: StepRun) -> None:
        end = StepEnd("FAILED", "The local EMR failed while it ran the step. The cause is in the local EMR's own log")
        try:
            end = run.run()
        finally:
            self._report(run, end)
            run.clean()
            del self._runs[run.order.step_id]

    def _report(self, run: StepRun, end: StepEnd) -> None:
        try:
            taken = self._finish(run.order, end)
        except BooksFailed as error:  # a step whose output cannot be published has failed
            taken = False
            self._finish(run.order, StepEnd("FAILED", str(error), failure_details(run.order, str(error))))
        if not taken and not self._closing.is_set():
            run.stage.abort(end.uploads)

    def _finish(self, order: StepOrder, end: StepEnd) -> bool:
        names = {"node": self.node, "cluster_id": order.cluster_id, "step_id": order.step_id}
        return bool(self._persistently(lambda: self.books("finish", **names, **asdict(end)), self._closing))

    def _stop_all(self) -> None:
        self._closing.set()
        for run in list(self._runs.values()):
            run.stop("FAILED", "The node that ran the step was shut down")
        for thread in self._threads:
            thread.join()


def s3_client(endpoint_url: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106  (the embedded AWS does not check it)
        config=Config(
            max_pool_connections=32, proxies={}, retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}
        ),
    )


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="emr", description="Runs the steps of the embedded AWS's EMR with local Spark."
    )
    parser.add_argument("--endpoint-url", required=True, help="address of the embedded AWS")
    parser.add_argument("--work-dir", type=Path, required=True, help="folder of its own; after a crash, give the same")
    parser.add_argument("--parallel-steps", type=int, default=2, help="largest number of steps at once (default: 2)")
    parser.add_argument("--memory", default="1g", help="memory of each step's JVM (default: 1g)")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        EmrRunner(
            options.endpoint_url, options.work_dir, parallel_steps=options.parallel_steps, memory=options.memory
        ).run(stopped)
    except AgariError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
