"""What the demo prepares before the pipeline runs: options, folder, ports, DAG folder, rows of the NRT pipeline."""

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
from airflow_agari_provider.local.demo.pipeline import TARGETS
from airflow_agari_provider.local.demo.published_day import DAY, PUBLISHED_DAY, Organisation, scaled, shared_out
from airflow_agari_provider.local.demo.target_database import EMBEDDED, TargetDatabase

FOLDER = Path(".demo")
VICTOROPS = "victorops_default"  # connection id
KEPT_RUNS = 3  # folders of earlier demos to keep


class PortTaken(AgariError):
    """The port that a person asked for cannot be used, for example because another program listens on it."""

    def __init__(self, port: int, reason: str) -> None:
        super().__init__(port, reason)
        self.port, self.reason = port, reason

    def __str__(self) -> str:
        return f"port {self.port} cannot be used: {self.reason}. Give another --port, or leave it out for a free one."


@dataclass(frozen=True)
class Options:
    """The options of the command line; see ``--help``."""

    serve: bool = False
    database: str | None = None
    messages: int | None = None
    breakage: str | None = None
    port: int | None = None
    hourly: bool = False
    target: str = "cluster"

    @property
    def organisations(self) -> tuple[Organisation, ...]:
        """The organisations of the published day, or of a day with ``messages`` messages."""
        return PUBLISHED_DAY if self.messages is None else scaled(PUBLISHED_DAY, self.messages)


def parse(arguments: Sequence[str]) -> Options:
    """Return the options of the command line. Wrong ones end the process with a message, as usual."""
    parser = argparse.ArgumentParser(prog="demo", description="Run a day of the scoring pipeline on this machine.")
    parser.add_argument("--serve", action="store_true", help="keep Airflow running after the run, until Ctrl-C")
    parser.add_argument(
        "--database",
        metavar="URL",
        help=f"load into this PostgreSQL or MySQL database, or {EMBEDDED}; default: a SQLite file",
    )
    parser.add_argument("--messages", type=int, metavar="N", help="a day of N messages; default: the published 273,647")
    parser.add_argument("--break", dest="breakage", choices=BREAKAGES, help="break this, to see what notices it")
    parser.add_argument("--hourly", action="store_true", help="a run for each hour of the day, several at once")
    parser.add_argument("--target", choices=TARGETS, default="cluster", help="where Spark runs (default: a cluster)")
    parser.add_argument("--port", type=int, help="port of Airflow's web page; default: a free one")
    options = Options(**vars(parser.parse_args(arguments)))
    if options.messages is not None and options.messages < len(PUBLISHED_DAY):
        parser.error(
            f"--messages {options.messages} is too few: give at least {len(PUBLISHED_DAY)}, one for each of the "
            f"{len(PUBLISHED_DAY)} organisations"
        )
    if options.breakage and BREAKAGES[options.breakage].not_on_2 and not WATCHES_MANUAL_RUNS:
        parser.error(f"--break {options.breakage} needs Airflow 3: {BREAKAGES[options.breakage].not_on_2}")
    if options.hourly and options.breakage and not BREAKAGES[options.breakage].hourly:
        known = ", ".join(name for name, breakage in BREAKAGES.items() if breakage.hourly)
        parser.error(f"--break {options.breakage} does not work with --hourly; these do: {known}")
    return options


def airflow_settings() -> dict[str, str]:
    """
    Return the settings of Airflow that differ between the demo and a deployment.

    Retries are quick, alerts page people, and there are no scheduled runs in addition to the demo's own run. The
    environment is the published one.
    """
    return {
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "5",
        "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        # The DAG's file does not change, and each time that it is read takes seconds of a processor
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
        "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "600",  # its name on 2.11
        "AIRFLOW__AGARI__ENVIRONMENT": "EP_STAGE",
        "AIRFLOW__AGARI__DISCREPANCY_CONN_ID": "scoring_db",  # history_conn_id of the example DAG
        "MESSAGE_SCORING_VICTOROPS": VICTOROPS,
        "MESSAGE_SCORING_ORGANISATIONS_SQL": "SELECT org_id FROM organisations WHERE active = 1",
        # Because the run is of 2016, Airflow 2.11 would report missed SLAs for every hour since then
        **({} if WATCHES_MANUAL_RUNS else {"AIRFLOW__CORE__CHECK_SLAS": "False"}),
    }


def example_dags() -> Path:
    """Return the folder of the example DAG: inside the package if it is installed, next to it in a checkout."""
    package = Path(airflow_agari_provider.__file__).parent
    inside = package / "example_dags"
    return inside if inside.is_dir() else package.parent / "example_dags"


def write_near_real_time(database: TargetDatabase, organisations: Sequence[Organisation]) -> None:
    """Write the counts of the near-real-time pipeline, which the demo does not run: one by organisation and hour."""
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


def write_organisations(database: TargetDatabase, organisations: Sequence[Organisation]) -> None:
    """Write the table of the customers, all of them active."""
    values = ", ".join(f"({organisation.org_id}, 1)" for organisation in organisations)
    database.execute(
        "CREATE TABLE IF NOT EXISTS organisations (org_id INTEGER, active INTEGER)",
        "DELETE FROM organisations",
        f"INSERT INTO organisations VALUES {values}",  # noqa: S608  (numbers made here)
    )


def free_ports(web: int | None) -> tuple[int, int, int]:
    """
    Return three ports that no program listens on now.

    A service of the demo listens there only tens of seconds later. Until then, the system could give the ports to any
    other program. So this process keeps them bound as long as it lives, if a service can still listen on them then.

    :param web: the port that a person asked for; it becomes the first. None: any.
    :raises PortTaken: the port that was asked for cannot be used.
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
                probe.detach()  # so that it stays open
    return first, second, third


def _leaves_room_for_a_service(probe: socket.socket) -> bool:
    """
    Whether a service can listen on the port of a socket that is bound but does not listen.

    On Linux it can if both sockets set SO_REUSEADDR.
    """
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
    Make a folder for this run, which is kept after the run. Of the folders of ended runs, only the latest are kept.

    A lock on its folder shows that a run still works. The system releases the lock even if the run is killed.
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
