"""
Finds and ends the processes of a step by a mark in their environment, which every descendant inherits.

Unlike a process id on disk it cannot come to mean a stranger, and unlike a process group nothing leaves it.
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
    """Those of the step whose folder this is, or of all steps whose folders lie below it."""
    found = []
    for process in psutil.process_iter():
        # gone meanwhile, or somebody else's
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(STEP_MARK)
            if mark and Path(mark).is_relative_to(folder):
                found.append(process)
    return found


def end_processes(folder: Path, patience: float = PATIENCE) -> None:
    """
    End them all, politely first.

    :param patience: seconds that a process gets before it is killed.
    """
    end = psutil.Process.terminate
    while processes := step_processes(folder):
        logger.info("Ending processes %s of %s", [process.pid for process in processes], folder)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                end(process)
        psutil.wait_procs(processes, timeout=patience)
        end = psutil.Process.kill
