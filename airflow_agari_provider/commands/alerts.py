"""``agari alerts``: the sweeper, and silences."""

from __future__ import annotations

import argparse
import getpass
import re
import time
from datetime import UTC, datetime
from typing import Any

from airflow_agari_provider.alerts.silences import Silence
from airflow_agari_provider.commands.times import iso_moment

_UNITS = {"m": 60.0, "h": 3600.0, "d": 86400.0}


def add_to(rooms: Any) -> None:
    """Add ``alerts`` to the commands."""
    room = rooms.add_parser("alerts", help="SLA alerts: sweep them, silence them")
    commands = room.add_subparsers(required=True, metavar="COMMAND")

    sweep = _command(
        commands, "sweep", _sweep, "send recoveries that were lost, and what else is left to tell; for cron"
    )
    sweep.add_argument(
        "--airflow-api-conn-id",
        metavar="ID",
        help="connection to the API of Airflow 3: host, login and password (default: [agari] airflow_api_conn_id)",
    )
    sweep.add_argument("--seconds", type=float, default=240, help="look at no further run after this time (240)")

    silence = _command(commands, "silence", _silence, "tell nobody of the misses of some tasks, for a while")
    silence.add_argument("--dag", required=True, metavar="PATTERN", help="DAG ids, such as 'telemetry' or 'ep_*'")
    silence.add_argument(
        "--task", default="*", metavar="PATTERN", help="task ids; __dag_run__ is the run itself (default: all)"
    )
    silence.add_argument(
        "--environment", default="*", metavar="PATTERN", help="environments of the alerts (default: all)"
    )
    silence.add_argument("--from", dest="since", type=_moment, metavar="TIME", help="when it begins (default: now)")
    silence.add_argument(
        "--until",
        required=True,
        type=_moment,
        metavar="TIME",
        help="when it ends: 2026-11-30T18:00 (UTC), 2026-11-30T18:00+01:00, or 90m, 2h, 3d from now",
    )
    silence.add_argument("--why", required=True, help="the reason, for those who wonder")
    silence.add_argument("--who", default=None, help="who makes it (default: the user of this machine)")

    _command(commands, "silences", _silences, "list the silences that are not over")

    end = _command(commands, "end-silence", _end_silence, "end a silence before its time")
    end.add_argument("id", help="as `agari alerts silences` shows it")
    end.add_argument("--who", default=None, help="who ends it (default: the user of this machine)")


def _command(commands: Any, name: str, run: Any, says: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=says, description=says[0].upper() + says[1:] + "."
    )
    command.add_argument(
        "--claims-conn-id", metavar="ID", help="connection of the claims (default: [agari] alerts_conn_id)"
    )
    command.set_defaults(run=run)
    return command


def _sweep(told: argparse.Namespace) -> tuple[int, str]:
    from airflow_agari_provider.slas.maintenance import swept

    done = swept(told.claims_conn_id, told.airflow_api_conn_id, told.seconds, in_task=False)
    return (1 if done.unknown or done.given_up else 0), done.text


def _silence(told: argparse.Namespace) -> tuple[int, str]:
    now = time.time()
    since = now if told.since is None else told.since
    silence = Silence("", told.dag, told.task, since, told.until, _who(told), told.why, told.environment)
    return 0, _line(_table(told).add(silence, now))


def _silences(told: argparse.Namespace) -> tuple[int, str]:
    silences = sorted(_table(told).not_over(time.time()), key=lambda silence: silence.until)
    return 0, "\n".join(map(_line, silences)) or "There is no silence."


def _end_silence(told: argparse.Namespace) -> tuple[int, str]:
    if not _table(told).end(told.id, _who(told), time.time()):
        return 1, f"There is no silence {told.id} that is not over. `agari alerts silences` lists them."
    return 0, f"Silence {told.id} is over. What it silenced and is still late is told now."


def _table(told: argparse.Namespace) -> Any:
    from airflow_agari_provider.alerts.silence_table import SilenceTable
    from airflow_agari_provider.slas.claiming import claims_of
    from airflow_agari_provider.slas.maintenance import claims_named

    claims = claims_of(claims_named(told.claims_conn_id))
    assert claims is not None
    return SilenceTable(claims.database)


def _who(told: argparse.Namespace) -> str:
    return str(told.who or getpass.getuser())


def _line(silence: Silence) -> str:
    where = f"DAG {silence.dag}, task {silence.task}"
    where += f", environment {silence.environment}" if silence.environment != "*" else ""
    return f"{silence.id}  {_time(silence.since)} to {_time(silence.until)}  {where}  {silence.who}: {silence.why}"


def _time(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _moment(text: str) -> float:
    """Read a time: from now, or ISO 8601, which is in UTC if it has no zone."""
    if found := re.fullmatch(r"(\d+(?:\.\d+)?)([mhd])", text.strip()):
        return time.time() + float(found[1]) * _UNITS[found[2]]
    return iso_moment(text, or_else=", or 90m, 2h, 3d from now")
