"""A cluster of the embedded AWS, and a runner of its steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_agari_provider.local.emr.runner import EmrRunner
from tests.local.emr.submitted_steps import NO_JAVA, Emr


@pytest.fixture
def emr(client: Callable[[str], Any], wait_for: Callable[..., Any]) -> Emr:
    return Emr(client, wait_for)


@pytest.fixture
def new_runner(local_aws: str, tmp_path: Path, fake_spark: Path) -> Callable[..., EmrRunner]:
    def new(**more: Any) -> EmrRunner:
        options = {"spark_home": fake_spark, "java_home": NO_JAVA, "poll_interval": 0.02, **more}
        return EmrRunner(local_aws, tmp_path / "node", **options)

    return new


@pytest.fixture
def runner(new_runner: Callable[..., EmrRunner]) -> Iterator[EmrRunner]:
    """A runner at work."""
    stopped = threading.Event()
    runner = new_runner()
    thread = threading.Thread(target=runner.run, args=[stopped])
    thread.start()
    yield runner
    stopped.set()
    thread.join()
