"""
Finds and ends the processes of a step. A mark in their environment, which every descendant inherits, identifies them.

A process id on disk could come to mean another process, and a process can leave its process group. Neither is possible
with the mark.
"""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import psutil

logger = logging.getLogger(__name__)

STEP_MARK = "AGARI_EMR_STEP"  # environment variable: the step's folder
PATIENCE = 3.0  # seconds between SIGTERM and SIGKILL


def step_processes(folder: Path) -> list[psutil.Process]:
    """Return the processes of the step with this folder, or of all steps whose folders are in it."""
    found = []
    for process in psutil.process_iter():
        # suppressed: the process has ended, or belongs to another user
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(STEP_MARK)
            if mark and Path(mark).is_relative_to(folder):
                found.append(process)
    return found


def ask_to_end(folder: Path) -> None:
    """Send SIGTERM to the processes of the step with this folder, and do not wait for them."""
    for process in step_processes(folder):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()


def end_processes(folder: Path, patience: float = PATIENCE) -> None:
    """
    End all processes of the step or steps, first with SIGTERM, then with SIGKILL.

    :param folder: as for ``step_processes``.
    :param patience: seconds between the two signals.
    """
    end = psutil.Process.terminate
    while processes := step_processes(folder):
        logger.info("Ending processes %s of the step(s) in %s", [process.pid for process in processes], folder)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(process)
        psutil.wait_procs(processes, timeout=patience)
        end = psutil.Process.kill
