"""Child processes that end when their parent does, even if the parent is killed."""

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

MARKER = "AGARI_DEMO"  # environment variable that every descendant inherits, even in a session of its own
PATIENCE = 5.0  # seconds between SIGTERM and SIGKILL
MOST_RESTARTS = 5


class ProcessDied(AgariError):
    """A process ended that should still run, or a command failed."""

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
    Starts processes, restarts those with ``restart=True``, and stops them all.

    Each child leads a session of its own, so that Ctrl-C reaches only the parent, which then stops them in order. A
    guard process waits for the parent's end, also after ``kill -9``, and ends every process that still has the marker.

    :param logs: folder for the log files, one for each process.
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
        # Processes that libraries start from this process have the marker too. (The marker of this process itself stays
        # invisible to others: they see the environment that it began with.)
        os.environ[MARKER] = self.marker

    def descendants(self) -> list[psutil.Process]:
        """Return every living process that was started here, directly or by another such process."""
        return family(self.marker, self._sessions)

    def start(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, restart: bool = False
    ) -> Child:
        """
        Start one process.

        :param name: its name in messages, and the name of its log file.
        :param environment: variables in addition to those of this process.
        :param restart: start it again when it ends, at most 5 times, as a service manager would.
        """
        log = self.logs / f"{name}.log"
        child = Child(name, command, environment, log, restart, self._spawn(command, environment, log))
        self.children[name] = child
        return child

    def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """
        Run one command and wait for its end.

        :raises ProcessDied: it failed.
        """
        child = self.start(name, command, environment)
        if code := child.process.wait():
            raise self._died(child, code)
        del self.children[name]

    def check(self) -> list[str]:
        """
        Restart the processes that ended and may be restarted. Return their names.

        :raises ProcessDied: a process ended that may not be restarted, or that was restarted too often.
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
        """End every child, the latest first, and then every descendant that is still alive."""
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
    Return every process with the marker, except this one.

    Airflow's workers set a process title, which overwrites the environment that other processes can read. A process
    without a readable environment is recognised by its session.

    :param sessions_file: ids of the sessions that were opened here, one in each line.
    """
    sessions = {int(line) for line in sessions_file.read_text().split()}
    found = []
    for process in psutil.process_iter():
        try:
            environment = process.environ()
            ours = environment.get(MARKER) == marker if environment else os.getsid(process.pid) in sessions
            if ours and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):  # it has ended, or belongs to another user
            continue
    return found


def sweep(marker: str, sessions_file: Path, patience: float = PATIENCE) -> int:
    """End every process of the family, first with SIGTERM, then with SIGKILL. Return how many there were."""
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
    """Wait until the parent ends, which closes standard input, then end every process that it left running."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.stdin.buffer.read()
    sweep(marker, sessions_file)


if __name__ == "__main__":
    guard(sys.argv[1], Path(sys.argv[2]))
