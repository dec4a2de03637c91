from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from airflow_agari_provider.local.emr.step_processes import STEP_MARK, end_processes, step_processes

IGNORES_SIGTERM = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)"


def start(folder: Path, code: str = "print('up', flush=True)") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", f"{code}; import time; time.sleep(600)"]
    process = subprocess.Popen(command, env={**os.environ, STEP_MARK: str(folder)}, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as output:
        assert output.readline() == b"up\n"
    return process


def test_only_the_processes_of_the_folder_are_ended(tmp_path: Path) -> None:
    one, two, other = (start(tmp_path / name) for name in ("steps/s-1", "steps/s-2", "steps-of-others/s-1"))
    assert [process.pid for process in step_processes(tmp_path / "steps" / "s-1")] == [one.pid]
    end_processes(tmp_path / "steps")
    assert (one.poll() is None, two.poll() is None, other.poll() is None) == (False, False, True)
    other.kill()
    other.wait()


def test_a_process_that_ignores_sigterm_ends_too(tmp_path: Path) -> None:
    process = start(tmp_path, IGNORES_SIGTERM)
    end_processes(tmp_path, patience=0.2)
    assert process.poll() is not None
