"""Job runs of EMR Serverless and EMR on EKS, which the local EMR runs like steps."""

from __future__ import annotations

import gzip
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_agari_provider.local.emr.runner import EmrRunner

ROLE = "arn:aws:iam::123456789012:role/scoring"
LOGS = {"monitoringConfiguration": {"s3MonitoringConfiguration": {"logUri": "s3://agari/logs/"}}}


@dataclass
class JobRuns:
    """One of the services, as a submitter sees it, with one bucket ``agari``."""

    client: Callable[[str], Any]
    wait_for: Callable[..., Any]
    succeeded: str
    logs: str

    def __post_init__(self) -> None:
        self.s3 = self.client("s3")
        self.s3.create_bucket(Bucket="agari")
        self.open()

    def open(self) -> None:
        raise NotImplementedError

    def start(self, driver: dict[str, Any]) -> str:
        raise NotImplementedError

    def run(self, job_id: str) -> dict[str, Any]:
        raise NotImplementedError

    def cancel(self, job_id: str) -> None:
        raise NotImplementedError

    def submit(self, code: str, *arguments: str) -> str:
        prelude = "import sys, time\nfrom pathlib import Path\ns3 = Path('s3/agari')\n"
        self.s3.put_object(Bucket="agari", Key="job.py", Body=(prelude + textwrap.dedent(code)).encode())
        driver = {"entryPoint": "s3://agari/job.py", "sparkSubmitParameters": "--conf 'spark.x=a b'"}
        return self.start({**driver, "entryPointArguments": list(arguments)})

    def end(self, job_id: str) -> str:
        self.wait_for(lambda: self.run(job_id)["state"] in (self.succeeded, "FAILED", "CANCELLED"))
        return str(self.run(job_id)["state"])

    def text(self, key: str) -> str:
        body: bytes = self.s3.get_object(Bucket="agari", Key=key)["Body"].read()
        return (gzip.decompress(body) if key.endswith(".gz") else body).decode()


class Serverless(JobRuns):
    def open(self) -> None:
        self.service = self.client("emr-serverless")
        created = self.service.create_application(name="scoring", releaseLabel="emr-7.9.0", type="SPARK")
        self.place = str(created["applicationId"])

    def start(self, driver: dict[str, Any]) -> str:
        job = {"applicationId": self.place, "executionRoleArn": ROLE, "jobDriver": {"sparkSubmit": driver}}
        return str(self.service.start_job_run(**job, configurationOverrides=LOGS)["jobRunId"])

    def run(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.service.get_job_run(applicationId=self.place, jobRunId=job_id)["jobRun"]
        return found

    def cancel(self, job_id: str) -> None:
        self.service.cancel_job_run(applicationId=self.place, jobRunId=job_id)


class Eks(JobRuns):
    def open(self) -> None:
        self.service = self.client("emr-containers")
        provider = {"id": "eks", "type": "EKS", "info": {"eksInfo": {"namespace": "spark"}}}
        self.place = str(self.service.create_virtual_cluster(name="x", containerProvider=provider)["id"])

    def start(self, driver: dict[str, Any]) -> str:
        job = {"virtualClusterId": self.place, "executionRoleArn": ROLE, "releaseLabel": "emr-7.9.0-latest"}
        driver = {"sparkSubmitJobDriver": driver}
        return str(self.service.start_job_run(**job, jobDriver=driver, configurationOverrides=LOGS)["id"])

    def run(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.service.describe_job_run(virtualClusterId=self.place, id=job_id)["jobRun"]
        return found

    def cancel(self, job_id: str) -> None:
        self.service.cancel_job_run(virtualClusterId=self.place, id=job_id)


@pytest.fixture(params=["serverless", "eks"])
def job_runs(
    client: Callable[[str], Any], wait_for: Callable[..., Any], request: pytest.FixtureRequest, runner: EmrRunner
) -> JobRuns:
    if request.param == "serverless":
        return Serverless(client, wait_for, "SUCCESS", "logs/applications/{place}/jobs/{job}/SPARK_DRIVER/")
    return Eks(client, wait_for, "COMPLETED", "logs/{place}/jobs/{job}/containers/spark-{job}/spark-{job}-driver/")


def test_a_job_run_reads_and_writes_s3_and_leaves_its_log(job_runs: JobRuns) -> None:
    job_id = job_runs.submit(
        "(s3 / 'out').mkdir(); (s3 / 'out' / 'part-0').write_text(sys.argv[2]); print('scored')", "s3://agari/out", "14"
    )
    assert job_runs.end(job_id) == job_runs.succeeded
    assert job_runs.text("out/part-0") == "14"
    assert job_runs.text(job_runs.logs.format(place=job_runs.place, job=job_id) + "stdout.gz") == "scored\n"


def test_a_job_run_that_fails_tells_why(job_runs: JobRuns) -> None:
    job_id = job_runs.submit("raise ValueError('no such column')")
    assert job_runs.end(job_id) == "FAILED"
    assert job_runs.run(job_id)["stateDetails"] == "ValueError: no such column"


def test_a_cancelled_job_run_ends(job_runs: JobRuns, tmp_path: Any) -> None:
    job_id = job_runs.submit(
        f"""
        Path({str(tmp_path)!r}, "starts").touch()
        time.sleep(600)
        """
    )
    job_runs.wait_for((tmp_path / "starts").exists)
    job_runs.cancel(job_id)
    assert job_runs.end(job_id) == "CANCELLED"
