"""Child processes that end when their parent does, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from airflow_agari_provider.exceptions import AgariError

MARKER = "AGARI_DEMO"  # environment variable that every descendant inherits, whatever sessions it opens
PATIENCE = 5.0  # seconds between SIGTERM and SIGKILL
MOST_RESTARTS = 5


class ProcessDied(AgariError):
    """A process that has to run ended by itself."""

    def __init__(self, name: str, code: int, log: str, tail: str) -> None:
        super().__init__(name, code, log, tail)
        self.name, self.code, self.log, self.tail = name, code, log, tail

    def __str__(self) -> str:
        return f"{self.name} ended with exit code {self.code}. Its log {self.log} ends:\n{self.tail}"


@dataclass
class Child:
    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    restart: bool
    process: subprocess.Popen[bytes]
    restarts: int = 0


@dataclass
class Processes:
    """
    Starts processes, restarts those that may be, and stops them all.

    Each child leads a session of its own, so that Ctrl-C reaches only the parent, which then stops them in order. A
    guard process waits for the parent's end and kills whatever still carries the marker: also after ``kill -9``.

    :param logs: folder for one log file a process.
    :param patience: seconds between SIGTERM and SIGKILL.
    """

    logs: Path
    patience: float = PATIENCE
    marker: str = field(default_factory=lambda: uuid.uuid4().hex)
    children: dict[str, Child] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        self._sessions = self.logs / "sessions"
        self._sessions.touch()
        self._guard = subprocess.Popen(
            [sys.executable, "-m", __name__, self.marker, str(self._sessions)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        # What libraries start in this process carries the mark too. (Others still see the environment it began with.)
        os.environ[MARKER] = self.marker

    def descendants(self) -> list[psutil.Process]:
        """Every living process that was started here, or by one of those."""
        return family(self.marker, self._sessions)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, restart: bool = False
    ) -> Child:
        """
        Start one process.

        :param name: names it in messages, and its log file.
        :param environment: variables beside those of this process.
        :param restart: start it again when it dies, at most 5 times, as a service manager would.
        """
        log = self.logs / f"{name}.log"
        child = Child(name, command, environment, log, restart, self._spawn(command, environment, log))
        self.children[name] = child
        return child

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Run one command to its end. :raises ProcessDied: it failed."""
        child = self.start(name, command, environment)
        if code := child.process.wait():
            raise self._died(child, code)
        del self.children[name]

    def check(self) -> list[str]:
        """
        Restart what died and may be restarted; return the names of those.

        :raises ProcessDied: a process that may not be restarted, or not once more.
        """
        restarted = []
        for child in self.children.values():
            if (code := child.process.poll()) is None:
                continue
            if not child.restart or child.restarts >= MOST_RESTARTS:
                raise self._died(child, code)
            child.restarts += 1
            child.process = self._spawn(child.command, child.environment, child.log)
            restarted.append(child.name)
        return restarted

    def stop(self) -> None:
        """End every child, latest first, and every descendant any of them left behind."""
        for child in reversed(self.children.values()):
            if child.process.poll() is None:
                child.process.terminate()
        deadline = time.monotonic() + self.patience
        for child in self.children.values():
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self.children.clear()
        os.environ.pop(MARKER, None)
        sweep(self.marker, self._sessions, self.patience)
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait()

    def _spawn(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output, self._sessions.open("a") as sessions:
            process = subprocess.Popen(
                list(command),
                env={**os.environ, **environment, MARKER: self.marker},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            sessions.write(f"{process.pid}\n")
        return process

    def _died(self, child: Child, code: int) -> ProcessDied:
        lines = child.log.read_text(errors="replace").splitlines()
        return ProcessDied(child.name, code, str(child.log), "\n".join(lines[-15:]))


def family(marker: str, sessions_file: Path) -> list[psutil.Process]:
    """
    Every process that carries the marker, this one aside.

    Airflow's workers give themselves a title, which overwrites the environment that others can read: those without
    any are known by their session.

    :param sessions_file: ids of the sessions that were opened here, a line each.
    """
    sessions = {int(line) for line in sessions_file.read_text().split()}
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            ours = environment.get(MARKER) == marker if environment else os.getsid(process.pid) in sessions
            if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):  # gone meanwhile, or somebody else's
            continue
    return found


def sweep(marker: str, sessions_file: Path, patience: float = PATIENCE) -> int:
    """End every process of the family: politely, then not; returns how many there were."""
    count = 0
    for end in (psutil.Process.terminate, psutil.Process.kill, psutil.Process.kill):
        processes = family(marker, sessions_file)
        if not processes:
            break
        count = max(count, len(processes))
        for process in processes:
            try:
                end(process)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(processes, timeout=patience)
    return count


def guard(marker: str, sessions_file: Path) -> None:
    """Wait until the parent is gone, which closes standard input, then end all it left."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(marker, sessions_file)


if __name__ == "__main__":
    guard(sys.argv[1], Path(sys.argv[2]))
