"""What the demo finds or makes before anything runs: folder, ports, DAG, what the tables hold already."""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import airflow_agari_provider
from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.local.demo.airflow_home import WATCHES_MANUAL_RUNS
from airflow_agari_provider.local.demo.breakage import BREAKAGES
from airflow_agari_provider.local.demo.published_day import DAY, PUBLISHED_DAY, Organisation, scaled, shared_out
from airflow_agari_provider.local.demo.target_database import EMBEDDED, TargetDatabase

FOLDER = Path(".demo")
VICTOROPS = "victorops_default"  # connection id
KEPT_RUNS = 3  # folders of earlier demos to keep


class PortTaken(AgariError):
    """Something else listens on the port that a person asked for."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(port, reason)
        self.port, self.reason = port, reason

    def __str__(self) -> str:
        return f"port {self.port} cannot be used: {self.reason}. Give another --port, or leave it out for a free one."


@dataclass(frozen=True)
class Options:
    """What a person may choose; see ``--help``."""

    serve: bool = False
    database: str | None = None
    messages: int | None = None
    breakage: str | None = None
    port: int | None = None

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        """Of the published day, or of one with as many messages as were asked for."""
        return PUBLISHED_DAY if self.messages is None else scaled(PUBLISHED_DAY, self.messages)


def parse(arguments: Sequence[str]) -> Options:
    """Options from the command line; ends the process where they make no sense, as command lines do."""
    parser = argparse.ArgumentParser(prog="demo", description="Run a day of the scoring pipeline on this machine.")
    parser.add_argument("--serve", action="store_true", help="keep Airflow up afterwards, until Ctrl-C")
    parser.add_argument(
        "--database",
        metavar="URL",
        help=f"load into this PostgreSQL or MySQL database, or {EMBEDDED}; default: a SQLite file",
    )
    parser.add_argument("--messages", type=int, metavar="N", help="a day of N messages; default: the published 273,647")
    parser.add_argument("--break", dest="breakage", choices=BREAKAGES, help="break something, see what is noticed")
    parser.add_argument("--port", type=int, help="port of Airflow's web page; default: a free one")
    options = Options(**vars(parser.parse_args(arguments)))
    if options.messages is not None and options.messages < len(PUBLISHED_DAY):
        parser.error(f"--messages {options.messages}: at least one for each of the {len(PUBLISHED_DAY)} organisations")
    if options.breakage and BREAKAGES[options.breakage].not_on_2 and not WATCHES_MANUAL_RUNS:
        parser.error(f"--break {options.breakage} needs Airflow 3: {BREAKAGES[options.breakage].not_on_2}")
    return options


def airflow_settings() -> dict[str, str]:
    """What a demo wants otherwise than a deployment: quick retries, pages, and no run by schedule beside its own."""
    return {
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        "MESSAGE_SCORING_VICTOROPS": VICTOROPS,
        # After the run of 2016, Airflow 2.11 would take every hour since then for one that misses its SLAs
        **({} if WATCHES_MANUAL_RUNS else {"AIRFLOW__CORE__CHECK_SLAS": "False"}),
    }


def example_dags() -> Path:
    """The folder of the example DAG: inside an installed package, beside it in a checkout."""
    package = Path(airflow_agari_provider.__file__).parent
    inside = package / "example_dags"
    return inside if inside.is_dir() else package.parent / "example_dags"


def write_near_real_time(database: TargetDatabase, organisations: Sequence[Organisation]) -> None:
    """Write what the near-real-time pipeline loaded on its own way: a count for each organisation and hour."""
    values = [
        f"({organisation.org_id}, '{DAY}T{hour:02d}', {count})"
        for organisation in organisations
        for hour, count in enumerate(shared_out(organisation.nrt, [1] * 24))
    ]
    database.execute(
        "CREATE TABLE IF NOT EXISTS nrt_messages (org_id INTEGER, hour VARCHAR(13), messages INTEGER)",
        f"DELETE FROM nrt_messages WHERE hour LIKE '{DAY}T%'",  # noqa: S608  (a constant)
        f"INSERT INTO nrt_messages VALUES {', '.join(values)}",  # noqa: S608  (numbers and hours made here)
    )


def free_ports(web: int | None) -> tuple[int, int, int]:
    """
    Three ports that nobody listens on now.

    Until a service of ours listens there, tens of seconds later, the system could give them to any other program: so
    this process keeps them for as long as it lives, where a service can still have them.

    :param web: the port a person asked for, to be the first.
    :raises PortTaken: it is in use.
    """
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(3)]
        for probe, wanted in zip(probes, (web or 0, 0, 0), strict=True):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except (OSError, OverflowError) as error:
                raise PortTaken(wanted, getattr(error, "strerror", None) or str(error)) from error
        first, second, third = (int(probe.getsockname()[1]) for probe in probes)
        for probe in probes:
            if _leaves_room_for_a_service(probe):
                probe.detach()  # it stays open
    return first, second, third


def _leaves_room_for_a_service(probe: socket.socket) -> bool:
    """Whether a service can listen where a socket is bound that does not listen: on Linux, if both say SO_REUSEADDR."""
    with socket.socket() as service:
        service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            service.bind(probe.getsockname())
            service.listen()
        except OSError:
            return False
    return True


@contextmanager
def own_folder(parent: Path) -> Iterator[Path]:
    """
    A folder of this run's own, kept afterwards; of the earlier ones that nobody works in, only the latest stay.

    A lock on the folder tells the living from the dead; the system lifts it however its owner ends.
    """
    parent.mkdir(parents=True, exist_ok=True)
    ended = [folder for folder in sorted(parent.glob("*/")) if not _in_use(folder)]
    for folder in ended[: max(0, len(ended) - KEPT_RUNS)]:
        shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=parent.resolve()))
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(lock)


def _in_use(folder: Path) -> bool:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False
