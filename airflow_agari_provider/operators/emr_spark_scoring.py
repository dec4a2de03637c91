"""Run one Spark job on EMR for one task run, such as "score this hour"."""

from __future__ import annotations

import copy
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import AirflowException, BaseOperator, default_deferrable
from airflow_agari_provider.airflow_errors import no_retry
from airflow_agari_provider.airflow_runs import task_run
from airflow_agari_provider.hooks.aws_clients import aws_session
from airflow_agari_provider.hooks.emr_jobs import emr_jobs
from airflow_agari_provider.operators.emr_step_link import LINK_KEY, EmrStepLink
from airflow_agari_provider.s3.urls import split_url
from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs
from airflow_agari_provider.scoring.emr_steps import StepTooLong
from airflow_agari_provider.scoring.job_files import UploadPlaceMissing, read_counts, upload
from airflow_agari_provider.scoring.jobs import BackendError, JobState, SparkJob
from airflow_agari_provider.scoring.outcome import failure_text, usage_of
from airflow_agari_provider.scoring.run_watch import PollingFailed, RunWatch
from airflow_agari_provider.scoring.submission import JobStillLive, Patience, cancel_and_wait, submit_or_rejoin
from airflow_agari_provider.scoring.task_run import TaskRun
from airflow_agari_provider.triggers.spark_run import SparkRunTrigger

if TYPE_CHECKING:
    from airflow_agari_provider.airflow_compat import Context

__all__ = ["EmrCluster", "EmrSparkScoringOperator"]

DEADLINE_MARGIN = 60.0  # seconds, or a tenth of execution_timeout: to cancel the job before Airflow ends the task
KILL_LOOKS = 2  # how often on_kill looks for a job whose submission it has interrupted


class EmrSparkScoringOperator(BaseOperator):
    """
    Run a PySpark script on an EMR cluster, and wait for it.

    A task run never has more than one live job. A retry after the worker died rejoins the job; a retry after the job
    failed submits a new one. So does a task that a person cleared, once its earlier job has ended. The job is cancelled
    if the task is killed, or the job is late.

    Returns ``{"job_id", "cluster_id", "run_token", "state", "seconds", "rejoined", "counts", "counts_url", "usage"}``;
    ``counts`` as ``{"<stage>": {"<key>": count}}``, ``seconds`` from submission to the end.

    :param script: Python script: a path on the worker, which is uploaded, or an ``s3://`` URL.
    :param target: cluster on which the script runs.
    :param arguments: arguments of the script.
    :param script_prefix: ``s3://`` prefix to upload the script and other local files to; needed if any file is local.
    :param spark_conf: Spark properties. Everyone who may see the cluster can read them and the arguments: no secrets.
    :param jars: paths or URLs, for the classpath.
    :param py_files: paths or URLs of ``.py``, ``.zip`` or ``.egg`` files, for the Python path.
    :param avro: add EMR's own spark-avro, for ``format("avro")``; or the URL of the jar to add; or False.
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
        target: EmrCluster,
        arguments: Sequence[str] = (),
        script_prefix: str | None = None,
        spark_conf: Mapping[str, Any] | None = None,
        jars: Collection[str] = (),
        py_files: Collection[str] = (),
        avro: bool | str = True,
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
        run = task_run(context)
        job = self._spark_job(context)
        self._run = run  # from here on, on_kill may have something to cancel
        with no_retry(StepTooLong):
            self._job, rejoined = submit_or_rejoin(self._backend, job, run, self._patience())
        self._stop_if_killed()
        self._push_link(context, self._job)
        deadline = self._deadline(context, self._job)
        watch = RunWatch(self._job, deadline, self.poll_interval, self.max_poll_errors, rejoined)
        if self.deferrable and watch.job.live:
            trigger = SparkRunTrigger(asdict(watch), self.cancel_on_kill, self.aws_conn_id, self.region_name)
            self.defer(trigger=trigger, method_name="resume")
        self._wait(context, watch)
        return self._finish(watch.job, rejoined)

    def resume(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Continue after the trigger has fired."""
        self._run = task_run(context)
        self._job = JobState(**event["job"])
        if event["outcome"] == "lost":
            self._give_up(context, event["message"])
        return self._finish(self._job, event["rejoined"])

    def on_kill(self) -> None:
        """Cancel the job; also one whose submission has just been interrupted."""
        self._killed = True
        if self._run is None or not self.cancel_on_kill:
            return
        try:
            self._cancel_what_is_there(self._run)
        except BackendError as error:
            self.log.error("The job of this task could not be cancelled and may still run. %s", error)

    def _cancel_what_is_there(self, run: TaskRun) -> None:
        if self._job is not None:
            self._backend.cancel(self._job)
            return
        for look in range(KILL_LOOKS):
            time.sleep(look)
            found = [job for job in self._backend.find((run.token,), run.since) if job.live]
            for job in found:
                self._backend.cancel(job)
            if found:
                return

    # steps of a run

    def _spark_job(self, context: Context) -> SparkJob:
        ti = context["ti"]
        for name in ("arguments", "jars", "py_files"):
            if isinstance(getattr(self, name), str):
                raise TypeError(f"{name} must be a list of strings, not one string: {getattr(self, name)!r}")
        if self.counts_url:
            split_url(self.counts_url)  # a wrong URL should fail before the job runs, not after it
        url = partial(upload, lambda: self._s3, prefix=self.script_prefix)
        with no_retry(UploadPlaceMissing):
            return SparkJob(
                name=f"{ti.dag_id}.{ti.task_id} {ti.run_id}" + (f" [{ti.map_index}]" if ti.map_index >= 0 else ""),
                script=url(self.script),
                arguments=tuple(map(str, self.arguments)),
                spark_conf=self.spark_conf,
                jars=tuple(map(url, self.jars)),
                py_files=tuple(map(url, self.py_files)),
                avro=self.avro,
            )

    def _wait(self, context: Context, watch: RunWatch) -> None:
        try:
            while (pause := watch.observe(self._backend, time.time())) is not None:
                self._sleep(pause)
                self._stop_if_killed()
        except PollingFailed as error:
            self._give_up(context, str(error))
        finally:
            self._job = watch.job

    def _finish(self, job: JobState, rejoined: bool) -> dict[str, Any]:
        if job.live:
            job = self._cancel_late(job)
        elif job.phase != "SUCCEEDED":
            wait = self.log_timeout.total_seconds()
            raise AirflowException(failure_text(self._backend, job, self.log_tail_lines, wait))
        counts = read_counts(self._s3, self.counts_url) if self.counts_url else {}
        result = {
            "job_id": job.job_id,
            "cluster_id": job.cluster_id,
            "run_token": job.token,
            "state": job.phase,
            "seconds": job.seconds,
            "rejoined": rejoined,
            "counts": counts,
            "counts_url": self.counts_url,
            "usage": usage_of(self._backend, job),
        }
        self.log.info("%s succeeded after %s s; usage %s", job, job.seconds, result["usage"])
        return result

    def _cancel_late(self, job: JobState) -> JobState:
        """Cancel a late job; return it if it succeeded before it was cancelled."""
        self.log.error("%s is still %s after its deadline: cancelling it", job, job.phase)
        try:
            ended = cancel_and_wait(self._backend, job, self._patience())
        except (JobStillLive, PollingFailed) as error:
            raise AirflowException(f"{job} took too long, so the task cancelled it. {error}") from error
        if ended.phase == "SUCCEEDED":
            return ended
        raise AirflowException(
            f"{ended} was still {job.phase} at its deadline (step_timeout {self.step_timeout}, "
            f"execution_timeout {self.execution_timeout}): it was cancelled and ended {ended.phase}. "
            "A retry submits a new job."
        )

    def _give_up(self, context: Context, message: str) -> None:
        ti = context["ti"]
        if ti.try_number > ti.max_tries and self._job is not None:
            self.log.error("No retry is left to rejoin %s: cancelling it", self._job)
            try:
                self._backend.cancel(self._job)
            except BackendError as error:
                message = f"{message} This was the last try, and the job could not be cancelled: {error}"
        raise AirflowException(message)

    @cached_property
    def _backend(self) -> EmrClusterJobs:
        return emr_jobs(self.aws_conn_id, self.region_name, self.target)

    @cached_property
    def _s3(self) -> Any:
        return aws_session(self.aws_conn_id, self.region_name)("s3")

    def _patience(self) -> Patience:
        return Patience(self.cancel_timeout.total_seconds(), self.max_poll_errors, min(self.poll_interval, 5.0))

    def _deadline(self, context: Context, job: JobState) -> float | None:
        """When to cancel the job: after ``step_timeout``, or shortly before ``execution_timeout`` if earlier."""
        ends = []
        if self.step_timeout is not None:
            ends.append((job.submitted_at or time.time()) + self.step_timeout.total_seconds())
        if self.execution_timeout is not None:
            limit = self.execution_timeout.total_seconds()
            ends.append(context["ti"].start_date.timestamp() + limit - min(DEADLINE_MARGIN, limit / 10))
        return min(ends, default=None)

    def _push_link(self, context: Context, job: JobState) -> None:
        if self.do_xcom_push:
            context["ti"].xcom_push(key=LINK_KEY, value=self._backend.console_url(job))

    def _sleep(self, seconds: float) -> None:
        """Sleep in short pieces: Airflow 3 kills a task five seconds after it has asked the task to end."""
        until = time.monotonic() + seconds
        while not self._killed and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))

    def _stop_if_killed(self) -> None:
        """Airflow 3 lets a task continue after ``on_kill``, so a job may have been submitted since."""
        if not self._killed:
            return
        if self.cancel_on_kill and self._job is not None:
            self._backend.cancel(self._job)
        raise AirflowException(f"The task was killed; {self._job} was {'' if self.cancel_on_kill else 'not '}cancelled")
