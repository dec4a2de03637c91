"""Silences as the page of the alerts lists, sets and ends them; both web servers call this module."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape
from typing import Any, TypeVar

from airflow_agari_provider.airflow_compat import conf
from airflow_agari_provider.alerts.alert_database import AlertDatabase, ClaimsUnavailable
from airflow_agari_provider.alerts.silence_table import SilenceTable
from airflow_agari_provider.alerts.silences import WHO_CHARACTERS, Silence, WrongSilence
from airflow_agari_provider.exceptions import BadQuestion, cut
from airflow_agari_provider.views.alerts_source import UNREADABLE, AlertsNotShown, database_of, named_connection
from airflow_agari_provider.views.parameters import is_text

logger = logging.getLogger(__name__)

# Columns of the answer, and what each is in a silence. Later versions may add some.
COLUMNS: dict[str, Callable[[Silence], Any]] = {
    "id": lambda silence: silence.id,
    "dag_id": lambda silence: silence.dag,
    "task_id": lambda silence: silence.task,
    "environment": lambda silence: silence.environment,
    "since": lambda silence: silence.since,
    "until": lambda silence: silence.until,
    "who": lambda silence: silence.who,
    "why": lambda silence: silence.why,
}
FIELDS = {"dag_id": str, "task_id": str, "since": float, "until": float, "why": str}
A_BODY = (
    'Send a JSON object such as {"dag_id": "telemetry", "task_id": "*", "until": 1795168000, "why": "upgrade"}; dag_id '
    "and task_id are ids or patterns, since (default: now) and until are epoch seconds."
)
NOT_KEPT = (
    "The silence cannot be kept now: the database of connection {conn_id}, which [agari] alerts_conn_id names, did not "
    "answer, or its user may only read. The web server's log says what is wrong."
)

Result = TypeVar("Result")


@dataclass(frozen=True)
class Reader:
    """
    Who asks, as the web server knows them.

    :param readable: ids of the DAGs whose runs and task instances they may read.
    :param editable: ids of the DAGs that they may edit.
    :param edits_all: whether they may edit every DAG, also one that comes later.
    """

    name: str
    readable: frozenset[str]
    editable: frozenset[str]
    edits_all: bool

    def may_silence(self, pattern: str) -> bool:
        """Whether they may set, or end, a silence of a DAG; a pattern is also for DAGs that come later."""
        return self.edits_all or (escape(pattern) == pattern and pattern in self.editable)

    def reads(self, pattern: str) -> bool:
        """Whether a pattern is for any DAG that they may read."""
        return pattern in self.readable or any(fnmatchcase(dag_id, pattern) for dag_id in self.readable)


class SilenceDesk:
    """
    Lists, sets and ends silences for people; the rules are those of ``agari alerts silence``.

    :param database: opens the database of the claims by the id of a connection.
    """

    def __init__(
        self, *, database: Callable[[str], AlertDatabase] = database_of, clock: Callable[[], float] = time.time
    ) -> None:
        self._database, self._clock = database, clock

    def listed(self, reader: Reader, csrf_token: str | None = None) -> tuple[dict[str, Any], float]:
        """
        Return the answer to ``GET api/silences``, and its time: what is not over, of DAGs that the reader may read.

        :param csrf_token: what the web server wants to see again with each change.
        :raises AlertsNotShown: no connection is set, or the database cannot be read.
        """
        now, environment = self._clock(), _environment()
        found = self._tried(lambda table: table.not_over(now), UNREADABLE)
        seen = [one for one in sorted(found, key=lambda one: one.until) if _is_seen(one, reader, environment)]
        return {
            "environment": environment or None,
            "dag_ids": sorted(reader.readable if reader.edits_all else reader.readable & reader.editable),
            "may_silence_all": reader.edits_all,
            "csrf_token": csrf_token,
            "silences": _columns(seen, reader),
        }, now

    def add(self, reader: Reader, body: bytes) -> tuple[dict[str, Any], float]:
        """
        Set a silence. Return it as ``POST api/silences`` answers.

        :param body: JSON; see ``A_BODY``.
        :raises BadQuestion: it cannot be such a silence.
        :raises AlertsNotShown: the reader may not edit the DAG (403), or it cannot be kept.
        """
        now, asked = self._clock(), _asked(body)
        dag = asked["dag_id"]
        if not reader.reads(dag):
            raise BadQuestion("dag_id", dag, f"You may read no DAG {cut(dag, 80)!r}. Look for it among all DAGs.")
        _require_edit(reader, dag)
        # Another Airflow may share the claims, with a DAG of this name that the reader may not edit
        environment = escape(_environment()) or "*"
        since = now if asked.get("since") is None else asked["since"]
        who, task = cut(reader.name, WHO_CHARACTERS), asked.get("task_id", "*")
        silence = Silence("", dag, task, since, asked["until"], who, asked["why"], environment)
        try:
            kept = self._tried(lambda table: table.add(silence, now))
        except WrongSilence as error:
            raise BadQuestion("silence", "", str(error)) from error
        logger.info("%s silenced %s of %s until %.0f: %s", who, task, dag, kept.until, kept.why)
        return _columns([kept], reader), now

    def end(self, reader: Reader, id_: str) -> tuple[dict[str, Any], float]:
        """
        End a silence before its time.

        :raises AlertsNotShown: there is none that the reader may see (404), or may end (403), or it cannot be kept.
        """
        now, environment = self._clock(), _environment()
        found = self._tried(lambda table: table.not_over(now))
        there = next((one for one in found if one.id == id_ and _is_seen(one, reader, environment)), None)
        if there is not None:
            _require_edit(reader, there.dag)
        if there is None or not self._tried(lambda table: table.end(id_, cut(reader.name, WHO_CHARACTERS), now)):
            raise AlertsNotShown(404, "There is no such silence, or it is over. Reload the page.")
        logger.info("%s ended the silence %s of %s", reader.name, id_, there.dag)
        return _columns([there], reader), now

    def _tried(self, work: Callable[[SilenceTable], Result], problem: str = NOT_KEPT) -> Result:
        conn_id = named_connection()
        try:
            return work(SilenceTable(self._database(conn_id)))
        except ClaimsUnavailable as error:
            logger.error("A silence cannot be read or kept. %s", error)
            raise AlertsNotShown(503, problem.format(conn_id=conn_id)) from error


def _environment() -> str:
    return str(conf.get("agari", "environment", fallback=""))


def _is_seen(silence: Silence, reader: Reader, environment: str) -> bool:
    return reader.reads(silence.dag) and (not environment or fnmatchcase(environment, silence.environment))


def _require_edit(reader: Reader, pattern: str) -> None:
    if reader.may_silence(pattern):
        return
    later = f"A pattern such as {cut(pattern, 80)!r} is also for DAGs that come later"
    whole = f"{later}, so only a person who may edit all DAGs"
    one = f"Only a person who may edit the DAG {cut(pattern, 80)}"
    problem = one if escape(pattern) == pattern else whole
    raise AlertsNotShown(403, f"{problem} in Airflow may silence its alerts. Ask for that permission.")


def _columns(silences: Iterable[Silence], reader: Reader) -> dict[str, list[Any]]:
    found = list(silences)
    told = {name: [value(one) for one in found] for name, value in COLUMNS.items()}
    return {**told, "may_end": [reader.may_silence(one.dag) for one in found]}


def _asked(body: bytes) -> Mapping[str, Any]:
    """Read the body of a request. :raises BadQuestion: it has a field that is missing, unknown, or of another kind."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict) or {"dag_id", "until", "why"} - set(told) or set(told) - set(FIELDS):
        raise BadQuestion("body", "", A_BODY)
    for name, value in told.items():
        if value is None and name == "since":
            continue
        if FIELDS[name] is str:
            is_right = isinstance(value, str) and is_text(value)
        else:
            is_right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_right:
            raise BadQuestion(name, "", f"{name} is wrong. {A_BODY}")
    return told
