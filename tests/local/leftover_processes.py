"""Processes that a run has left over."""

from __future__ import annotations

import psutil


def working_in(folder) -> list[psutil.Process]:
    """Processes that were started below the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and any(str(folder) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:  # one of others, that has ended meanwhile
            continue
    return found
