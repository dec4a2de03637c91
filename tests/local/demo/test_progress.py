from __future__ import annotations

import io
import time

from airflow_agari_provider.local.demo.progress import TerminalProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_status_line_on_a_terminal_is_erased_before_the_next_line():
    out = Terminal()
    progress = TerminalProgress(out)
    progress.status("waiting for Airflow")
    progress.line("airflow  is up")
    assert out.getvalue() == "         waiting for Airflow\r\033[K[   0 s] airflow  is up\n"


def test_a_status_in_a_file_comes_every_fifteen_seconds():
    out = io.StringIO()
    progress = TerminalProgress(out, started=time.monotonic() - 20)
    progress.status("first")
    progress.status("too soon")
    assert out.getvalue() == "[  20 s]   first\n"
