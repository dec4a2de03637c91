"""An AWS of the embedded kind, and a Spark that is only a shell script."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REGION = "us-east-1"


@pytest.fixture(scope="session")
def local_aws_server() -> Iterator[str]:
    from airflow_agari_provider.local.aws import start_aws

    server = start_aws()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def local_aws(local_aws_server: str) -> str:
    """Address of an empty embedded AWS, served by a thread of this process."""
    import urllib.request

    urllib.request.urlopen(urllib.request.Request(f"{local_aws_server}/moto-api/reset", method="POST")).close()
    return local_aws_server


@pytest.fixture
def client(local_aws: str) -> Callable[[str], Any]:
    """``client("s3")``: of the embedded AWS, without boto3's retries."""
    import boto3
    from botocore.config import Config

    once = Config(retries={"total_max_attempts": 1})
    return lambda service: boto3.client(service, endpoint_url=local_aws, region_name=REGION, config=once)


@pytest.fixture
def fake_spark(tmp_path: Path) -> Path:
    """A SPARK_HOME whose spark-submit runs the script with Python: everything but the JVM."""
    submit = tmp_path / "spark" / "bin" / "spark-submit"
    submit.parent.mkdir(parents=True)
    skip_options = 'while [ "${1#--}" != "$1" ]; do shift 2; done'
    submit.write_text(f'#!/bin/sh\n{skip_options}\nexec {sys.executable} "$@"\n')
    submit.chmod(0o755)
    return tmp_path / "spark"


@pytest.fixture
def wait_for() -> Callable[..., Any]:
    """``wait_for(question)``: its answer, once there is one; an error after the deadline."""

    def wait(question: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            assert time.monotonic() < deadline, f"not within {seconds} seconds"
            time.sleep(0.02)
        return answer

    return wait
