"""Progress on a terminal: lines that stay, and one status line that is redrawn."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import dataclass, field
from typing import TextIO

QUIET = 15.0  # seconds between status lines if the output is not a terminal


@dataclass
class TerminalProgress:
    """Prints lines with the seconds since the start. Without a terminal, the status comes every ``QUIET`` seconds."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    started: float = field(default_factory=time.monotonic)
    _drawn: bool = False
    _last: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def line(self, text: str = "") -> None:
        self._erase()
        print(f"[{self.elapsed:4.0f} s] {text}" if text else "", file=self.out, flush=True)

    def status(self, text: str) -> None:
        if self.out.isatty():
            self._erase()
            width = shutil.get_terminal_size().columns - 1
            print(f"         {text}"[:width], end="", file=self.out, flush=True)
            self._drawn = True
        elif self.elapsed - self._last >= QUIET:
            self._last = self.elapsed
            print(f"[{self.elapsed:4.0f} s]   {text}", file=self.out, flush=True)

    def plain(self, text: str) -> None:
        self._erase()
        print(text, file=self.out, flush=True)

    def _erase(self) -> None:
        if self._drawn:
            print("\r\033[K", end="", file=self.out)
            self._drawn = False
