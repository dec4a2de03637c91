"""Run one Spark job on EMR for one task run, such as "score this hour"."""

from __future__ import annotations

import copy
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_agari_provider.airflow_compat import (
    AirflowException,
    BaseOperator,
    TaskDeferred,
    default_deferrable,
)
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.airflow_runs import task_run
from airflow_agari_provider.hooks.spark_jobs import aws_requests, spark_jobs
from airflow_agari_provider.operators.emr_spark_job import spark_job
from airflow_agari_provider.operators.emr_step_link import EmrStepLink, store_link
from airflow_agari_provider.operators.spark_job_owner import never_unowned
from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.cancelling import cancel_persistently
from airflow_agari_provider.scoring.emr_steps import StepTooLong
from airflow_agari_provider.scoring.job_files import counts_of_job
from airflow_agari_provider.scoring.job_wait import CANCEL_PAUSE, JobWait, deadline
from airflow_agari_provider.scoring.jobs import BackendError, JobState
from airflow_agari_provider.scoring.outcome import failure_text, result_of, why_never_started
from airflow_agari_provider.scoring.run_watch import PollingFailed, RunWatch, SparkBackend
from airflow_agari_provider.scoring.submission import JobStillLive, Patience, submit_or_rejoin
from airflow_agari_provider.scoring.targets import (
    EmrCluster,
    EmrOnEks,
    EmrServerless,
    LivySpark,
    SparkTarget,
    StandaloneSpark,
)
from airflow_agari_provider.scoring.task_run import TaskRun
from airflow_agari_provider.triggers.spark_run import SparkRunTrigger

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context

__all__ = [
    "EmrCluster",
    "EmrOnEks",
    "EmrServerless",
    "EmrSparkScoringOperator",
    "LivySpark",
    "SparkTarget",
    "StandaloneSpark",
]


class EmrSparkScoringOperator(BaseOperator):
    """
    Run a PySpark script, or a jar, on EMR (clusters, Serverless, EKS), by Livy or on a stand-alone Spark.

    A task run never has more than one live job. A retry after the worker died rejoins the job; a retry after the job
    failed submits a new one. So does a task that a person cleared, once its earlier job has ended. The job is cancelled
    if the task is killed, or the job is late.

    Returns ``{"job_id", "cluster_id", "run_token", "state", "seconds", "rejoined", "counts", "counts_url", "usage"}``;
    ``counts`` as ``{"<stage>": {"<key>": count}}``, ``seconds`` from submission to the end. In place of ``cluster_id``,
    the others have ``application_id``, ``virtual_cluster_id``, ``livy_connection_id``, ``spark_master_id``.

    :param script: Python script, or jar: a path on the worker, which is uploaded, or an ``s3://`` URL.
    :param target: where: ``EmrCluster``, ``EmrServerless``, ``EmrOnEks``, ``LivySpark`` or ``StandaloneSpark``.
    :param arguments: arguments of the script.
    :param script_prefix: ``s3://`` prefix to upload the script and other local files to; needed if any file is local.
    :param spark_conf: Spark properties. Everyone who may see the cluster can read them and the arguments: no secrets.
    :param jars: paths or URLs, for the classpath.
    :param py_files: paths or URLs of ``.py``, ``.zip`` or ``.egg`` files, for the Python path.
    :param avro: add EMR's own spark-avro, for ``format("avro")``; or the URL of the jar to add; or False.
    :param main_class: class of the jar to run; None: the jar names it.
    :param counts_url: ``s3://`` prefix where the job writes lines ``{"stage": "scored", "key": "1", "count": 14}``.
    :param poll_interval: seconds between two requests for the job's state.
    :param step_timeout: how long the job may wait and run, from submission to its end; after that it is cancelled.
    :param cancel_on_kill: whether killing the task cancels the job. With False the job goes on, and a retry rejoins it.
    :param cancel_timeout: how long a cancelled job may take to end, before the task gives up on it.
    :param max_poll_errors: the task fails after this many failed requests in a row, of any kind.
    :param log_tail_lines: how many lines of the driver's stdout, and of its stderr, the error of a failed job shows.
    :param log_timeout: how long to wait until EMR has copied the log of a failed job to S3.
    :param deferrable: wait in the triggerer, without a worker slot.
    :param aws_conn_id: AWS connection for EMR and S3; None: boto3's own credentials.
    :param region_name: region of the cluster; None: the connection's.
    """

    template_fields: Sequence[str] = (
        "script",
        "target",
        "arguments",
        "script_prefix",
        "spark_conf",
        "jars",
        "py_files",
        "avro",
        "main_class",
        "counts_url",
        "aws_conn_id",
        "region_name",
    )
    template_fields_renderers = {"arguments": "json", "spark_conf": "json"}  # noqa: RUF012 - as in BaseOperator
    operator_extra_links = (EmrStepLink(),)
    ui_color = "#f9c915"

    def __init__(
        self,
        *,
        script: str,
        target: SparkTarget,
        arguments: Sequence[str] = (),
        script_prefix: str | None = None,
        spark_conf: Mapping[str, Any] | None = None,
        jars: Collection[str] = (),
        py_files: Collection[str] = (),
        avro: bool | str = True,
        main_class: str | None = None,
        counts_url: str | None = None,
        poll_interval: float = 30.0,
        step_timeout: timedelta | None = None,
        cancel_on_kill: bool = True,
        cancel_timeout: timedelta = timedelta(minutes=10),
        max_poll_errors: int = 10,
        log_tail_lines: int = 50,
        log_timeout: timedelta = timedelta(minutes=2),
        deferrable: bool = default_deferrable(),
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.script = script
        self.target = copy.copy(target)  # templates are rendered in place, and tasks may share one target
        self.arguments = arguments
        self.script_prefix = script_prefix
        self.spark_conf = spark_conf or {}
        self.jars = jars
        self.py_files = py_files
        self.avro = avro
        self.main_class = main_class
        self.counts_url = counts_url
        self.poll_interval = poll_interval
        self.step_timeout = step_timeout
        self.cancel_on_kill = cancel_on_kill
        self.cancel_timeout = cancel_timeout
        self.max_poll_errors = max_poll_errors
        self.log_tail_lines = log_tail_lines
        self.log_timeout = log_timeout
        self.deferrable = deferrable
        self.aws_conn_id = aws_conn_id
        self.region_name = region_name
        self._run: TaskRun | None = None
        self._job: JobState | None = None
        self._killed = False

    # what Airflow calls

    def execute(self, context: Context) -> dict[str, Any]:
        return self._start(context)

    def start_again(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Continue after the trigger has waited for the end of a job that must end before the next one."""
        self._run = task_run(context)
        with self._never_unowned(context):
            job = JobState(**event["job"])
            if event["outcome"] == "lost":
                raise AirflowException(event["message"])
            if job.live:
                raise AirflowException(str(JobStillLive(job, self.cancel_timeout.total_seconds())))
        return self._start(context, event["failed_start"])

    def resume(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Continue after the trigger has fired."""
        self._run = task_run(context)
        with self._never_unowned(context):
            self._job = JobState(**event["job"])
            if event["outcome"] == "lost":
                raise AirflowException(event["message"])
            told = event["rejoined"], event.get("late", ""), event.get("failed_start", "")  # older triggers tell less
            return self._finish(context, self._job, *told)

    def on_kill(self) -> None:
        """Cancel the job; also one whose submission has just been interrupted."""
        self._killed = True
        if self._run is None or not self.cancel_on_kill:
            return
        try:
            self._cancel(self._run)
        except BackendError as error:
            self.log.error("The job of this task could not be cancelled and may still run. %s", error)

    # steps of a run

    def _start(self, context: Context, failed_start: str = "") -> dict[str, Any]:
        self._run = task_run(context)  # from here on, there may be something to cancel
        with no_retry(StepTooLong), self._never_unowned(context):
            job = spark_job(self, context["ti"], self._run, lambda: self._aws.client("s3"))
            end = partial(self._defer_until_ended, failed_start) if self.deferrable else None
            self._job, rejoined = submit_or_rejoin(self._backend, job, self._run, self._patience(), end)
            self._stop_if_killed()
            if self.do_xcom_push:
                store_link(context["ti"], partial(self._backend.console_url, self._job))
            ends = deadline(self._job, self.step_timeout, context["ti"].start_date, self.execution_timeout)
            wait = self._wait_for(self._job, ends, rejoined, failed_start)
            if self.deferrable and self._job.live:
                self._defer(wait, self.cancel_on_kill, "resume")
            if self._job.live:
                self.log.info(
                    "This wait holds a worker slot. Pass deferrable=True to wait in the triggerer without one"
                )
            self._drive(wait)
            return self._finish(context, wait.job, rejoined, wait.late, failed_start)

    def _never_unowned(self, context: Context) -> AbstractContextManager[None]:
        assert self._run is not None
        cancel = partial(self._cancel, self._run)
        return never_unowned(context["ti"], lambda: self._job, lambda: self._killed, cancel)

    def _defer(self, wait: JobWait, cancel_on_kill: bool, method_name: str) -> NoReturn:
        aws = self.aws_conn_id, self.region_name
        trigger = SparkRunTrigger(asdict(wait.watch), cancel_on_kill, *aws, *wait.timeouts)
        raise TaskDeferred(trigger=trigger, method_name=method_name)

    def _defer_until_ended(self, failed_start: str, job: JobState) -> NoReturn:
        """Wait in the triggerer for the end of a job that must end first, whoever kills this task meanwhile."""
        self._defer(self._wait_for(job, 0.0, False, failed_start), True, "start_again")

    def _drive(self, wait: JobWait) -> None:
        try:
            begun = time.monotonic()
            while (pause := wait.observe(self._backend, time.time())) is not None:
                self._pause(begun + pause - time.monotonic())
                begun = time.monotonic()
        except PollingFailed as error:
            raise AirflowException(str(error)) from error
        finally:
            self._job = wait.job

    def _finish(self, context: Context, job: JobState, rejoined: bool, late: str, failed_start: str) -> dict[str, Any]:
        if job.phase != "SUCCEEDED":
            if not failed_start and (reason := why_never_started(self._backend, job)):
                self._job = None
                return self._start(context, reason)
            limits = f"step_timeout {self.step_timeout}, execution_timeout {self.execution_timeout}"
            raise AirflowException(failure_text(self._backend, job, self.log_tail_lines, late, limits, failed_start))
        counts = counts_of_job(self._aws, self.counts_url, self._patience()) if self.counts_url else {}
        result = {**result_of(self._backend, job, rejoined), "counts": counts, "counts_url": self.counts_url}
        self.log.info("%s succeeded after %s s; usage %s", job, job.seconds, result["usage"])
        return result

    @cached_property
    def _aws(self) -> AwsRequests:
        return aws_requests(self.aws_conn_id, self.region_name)

    @cached_property
    def _backend(self) -> SparkBackend:
        return spark_jobs(self.aws_conn_id, self.region_name, self.target.kind, self.target)

    def _patience(self) -> Patience:
        pause = min(self.poll_interval, CANCEL_PAUSE)
        return Patience(self.cancel_timeout.total_seconds(), self.max_poll_errors, pause, sleep=self._pause)

    def _wait_for(self, job: JobState, ends: float | None, rejoined: bool, failed_start: str) -> JobWait:
        watch = RunWatch(job, ends, self.poll_interval, self.max_poll_errors, rejoined, failed_start)
        return JobWait(watch, self.cancel_timeout.total_seconds(), self.log_timeout.total_seconds())

    def _cancel(self, run: TaskRun) -> None:
        def look() -> Sequence[JobState]:
            tokens = (run.token, *run.earlier_tokens)
            return [self._job] if self._job else self._backend.find(tokens, run.since, live_only=True)

        cancel_persistently(self._backend, look)

    def _pause(self, seconds: float) -> None:
        """Sleep in short pieces: Airflow 3 kills a task five seconds after it has asked the task to end."""
        until, left = time.monotonic() + seconds, max(seconds, 0.001)
        while not self._killed and left > 0:
            time.sleep(min(left, 1.0))
            left = until - time.monotonic()
        self._stop_if_killed()

    def _stop_if_killed(self) -> None:
        """Airflow 3 lets a task continue after ``on_kill``, so a job may have been submitted since."""
        if not self._killed:
            return
        outcome = "was not cancelled"
        if self.cancel_on_kill and self._run is not None:
            try:
                self._cancel(self._run)
                outcome = "was cancelled"
            except BackendError as error:
                outcome = f"could not be cancelled and may still run. {error}"
        raise AirflowException(f"The task was killed; {self._job or 'its job, if there is one,'} {outcome}")
