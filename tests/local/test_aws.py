from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_the_process_says_where_it_serves_and_ends_on_sigterm(tmp_path: Path, wait_for: Callable[..., Any]) -> None:
    import boto3

    ready = tmp_path / "aws.json"
    ready.write_text("of an earlier run")
    command = [sys.executable, "-m", "airflow_agari_provider.local.aws", "--ready-file", str(ready)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        address = wait_for(
            lambda: ready.exists() and ready.read_text().startswith("{") and json.loads(ready.read_text())
        )
        assert address["pid"] == process.pid
        assert address["endpoint_url"].startswith("http://127.0.0.1:")
        for service, call in (("s3", "list_buckets"), ("sqs", "list_queues"), ("sns", "list_topics")):
            getattr(boto3.client(service, endpoint_url=address["endpoint_url"]), call)()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=60)
        assert (process.returncode, output) == (0, b"")
    finally:
        process.kill()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 200, id="a program"),
        pytest.param({"Origin": "http://{host}"}, 200, id="moto's own dashboard"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="a web page of elsewhere"),
        pytest.param({"Origin": "null"}, 403, id="a web page without an origin"),
        pytest.param({"Host": "evil.example"}, 403, id="a name that was pointed here"),
        pytest.param({"Host": "evil.example:5000"}, 403, id="a name with a port that was pointed here"),
    ],
)
def test_only_programs_of_this_machine_are_served(local_aws: str, headers: dict[str, str], status: int) -> None:
    host = local_aws.removeprefix("http://")
    told = {name: value.format(host=host) for name, value in headers.items()}
    request = urllib.request.Request(f"{local_aws}/moto-api/data.json", headers=told)
    assert status_of(request) == status


@pytest.mark.parametrize(("method", "path"), [("POST", "unknown"), ("GET", "orders")])
def test_the_books_answer_404_to_what_they_are_not_asked_for(local_aws: str, method: str, path: str) -> None:
    assert status_of(urllib.request.Request(f"{local_aws}/agari-local/emr/{path}", method=method)) == 404


def status_of(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
