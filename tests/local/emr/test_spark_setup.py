from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_agari_provider.local.emr.runner import EmrRunner
from airflow_agari_provider.local.emr.spark_setup import spark_environment
from tests.local.emr.submitted_steps import Emr


def test_a_step_gets_the_embedded_aws_and_no_settings_of_a_real_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop/conf")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    environment = spark_environment("http://127.0.0.1:5000", Path("/spark"), Path("/java"), Path("/empty"))
    names = ["SPARK_HOME", "JAVA_HOME", "HADOOP_CONF_DIR", "SPARK_CONF_DIR"]
    assert [environment[name] for name in names] == ["/spark", "/java", "/empty", "/empty"]
    names = ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
    assert [environment[name] for name in names] == ["http://127.0.0.1:5000", "mine", "local"]


def test_the_environment_of_the_runner_reaches_the_step(
    emr: Emr, new_runner: Callable[..., EmrRunner], monkeypatch: pytest.MonkeyPatch, local_aws: str
) -> None:
    monkeypatch.setenv("AGARI_DEMO", "run-7")
    stopped = threading.Event()
    thread = threading.Thread(target=new_runner().run, args=[stopped])
    thread.start()
    emr.create()
    step_id = emr.submit("print(os.environ['AGARI_DEMO'], os.environ['AWS_ENDPOINT_URL'])")
    assert emr.end(step_id) == "COMPLETED"
    stopped.set()
    thread.join()
    assert emr.log(step_id, "stdout") == f"run-7 {local_aws}\n"
