"""No started process outlives its parent, in any way that the parent ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from airflow_agari_provider.local.processes import ProcessDied, Processes, family

# A child that starts a grandchild in a session of its own, as Spark's and Airflow's do; neither heeds SIGTERM.
FAMILY = """
import signal, subprocess, sys, time
stubborn = "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print('up', flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", stubborn], start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print("family is up", flush=True)
time.sleep(600)
"""


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


@pytest.fixture
def processes(tmp_path):
    processes = Processes(tmp_path, patience=0.5)
    yield processes
    processes.stop()


def test_stopping_ends_grandchildren_with_sessions_of_their_own(processes):
    child = processes.start("family", [sys.executable, "-c", FAMILY], {})
    wait_until(lambda: "family is up" in child.log.read_text())
    assert len(processes.descendants()) == 2
    processes.stop()
    assert processes.descendants() == []


def test_killing_the_parent_ends_its_descendants(tmp_path):
    parent = f"""
import sys, time
from pathlib import Path
from airflow_agari_provider.local.processes import Processes
processes = Processes(Path({str(tmp_path)!r}), marker="orphans-of-{os.getpid()}")
processes.start("family", [sys.executable, "-c", {FAMILY!r}], {{}})
time.sleep(600)
"""
    killed = subprocess.Popen([sys.executable, "-c", parent])
    marker = f"orphans-of-{os.getpid()}"
    log, sessions = tmp_path / "family.log", tmp_path / "sessions"
    wait_until(lambda: log.exists() and "family is up" in log.read_text())
    assert len(family(marker, sessions)) == 2
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    wait_until(lambda: not family(marker, sessions))


def test_a_process_that_overwrote_its_environment_is_found_by_its_session(processes):
    pytest.importorskip("setproctitle", reason="comes with Airflow")
    titled = "import setproctitle, time; setproctitle.setproctitle('airflow worker'); print('up'); time.sleep(600)"
    child = processes.start("titled", [sys.executable, "-u", "-c", titled], {})
    wait_until(lambda: "up" in child.log.read_text())
    assert [process.cmdline()[0] for process in processes.descendants()] == ["airflow worker"]


def test_a_process_that_may_is_started_again(processes):
    child = processes.start("service", [sys.executable, "-c", "import time; time.sleep(600)"], {}, restart=True)
    first = child.process.pid
    child.process.kill()
    wait_until(lambda: child.process.poll() is not None)
    assert processes.check() == ["service"]
    assert child.process.pid != first
    assert processes.check() == []


def test_a_process_that_keeps_dying_is_given_up_with_the_end_of_its_log(processes):
    processes.start("service", [sys.executable, "-c", "print('no such port'); raise SystemExit(3)"], {}, restart=True)

    def check_until_it_is_given_up():
        while True:
            processes.check()
            time.sleep(0.01)

    with pytest.raises(ProcessDied, match=r"service ended with exit code 3.*\n.*no such port"):
        check_until_it_is_given_up()


def test_a_command_that_fails_says_so(processes):
    with pytest.raises(ProcessDied, match="migrate ended with exit code 1"):
        processes.run("migrate", [sys.executable, "-c", "raise SystemExit(1)"], {})
