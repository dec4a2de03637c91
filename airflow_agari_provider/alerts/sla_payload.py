"""
An SLA as the argument of a deadline's callback, which Airflow keeps with the DAG, and again with each run.

A task of a long chain waits for most of the others, so sets of tasks would grow with the square of their number. They
are written as bits over the sorted ids of the DAG's tasks. Airflow's answer about the run's tasks names these again.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b85decode, b85encode
from collections.abc import Collection, Iterable, Sequence
from dataclasses import MISSING, asdict, fields, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.payload_text import short_text
from airflow_agari_provider.alerts.sla import PACKAGE, Run, Watch

SETS = ("upstream", "reported_later", "reported_earlier")
# Characters for each set, and for names. What is longer is left out: then all tasks of the run may be named as the ones
# that the late task waits for, and one failure may be reported twice. Nine hundred tasks in any order still fit.
LONGEST = 160


def payload(watch: Watch, task_ids: Collection[str]) -> str:
    """
    Return the text that :meth:`Watch.from_json` reads: no more than some hundred characters, whatever the DAG's size.

    :param task_ids: of all tasks of the DAG.
    """
    ids = sorted(task_ids)
    sets = {name: _bits(getattr(watch, name), ids) for name in SETS if getattr(watch, name)}
    if any(len(text) > LONGEST for text in sets.values()):
        sets = {}
    short = replace(
        watch,
        alerts=[_short(alert) for alert in watch.alerts],
        mapped=[name for name in watch.mapped if name == watch.task_id],
        lookalikes=_if_short(watch.lookalikes) or _of(watch.task_id, watch.lookalikes),
        families=_if_short(_families(ids, watch.mapped)),
        upstream=None,
        reported_later=[],
        reported_earlier=[],
        carriers=[],
        packed={"tasks": _digest(ids), **sets},
    )
    return short_text(_json(short))


def row_payload(watch: Watch, run: Run, alert: dict[str, Any]) -> str:
    """Return JSON for the row of an alert's claim: with it, another process can send the alert or what follows it."""
    alone = replace(
        watch,
        alerts=[_short(alert)],
        mapped=[name for name in watch.mapped if name == watch.task_id],
        upstream=None,
        reported_later=[],
        reported_earlier=[],
        carriers=[],
        packed={},
    )
    return json.dumps({"sla": json.loads(_json(alone)), "run": {**asdict(run), "date": run.date.isoformat()}})


def from_row(text: str) -> tuple[Watch, Run]:
    """Read what :func:`row_payload` wrote."""
    told = json.loads(text)
    run = Run(**{**told["run"], "date": datetime.fromisoformat(told["run"]["date"])})
    return Watch.from_json(json.dumps(told["sla"])), run


def _json(watch: Watch) -> str:
    """Write what differs from its default."""
    defaults = {
        one.name: one.default_factory() if one.default_factory is not MISSING else one.default for one in fields(Watch)
    }
    told = {name: value for name, value in asdict(watch).items() if value != defaults[name] or name == "task_id"}
    return json.dumps(told, separators=(",", ":"))


def unpacked(watch: Watch, tasks: Sequence[TaskInState]) -> tuple[Watch, list[TaskInState]]:
    """
    Return an SLA with its sets of tasks, and the tasks with what is known of indexes, as Airflow 3 told neither.

    If the run has other tasks than the DAG had, the sets stay unknown.

    :param tasks: of the run, in which only the late task's own indexes are known.
    """
    if not watch.packed:
        return watch, list(tasks)
    plain = {task.task_id for task in tasks if task.map_index < 0}
    found = [_with_index(task, plain, watch) for task in tasks]
    ids = sorted({task.task_id for task in found})
    if watch.packed.get("tasks") != _digest(ids):
        return watch, found
    sets = {name: _names(watch.packed[name], ids) for name in SETS if name in watch.packed}
    return replace(watch, **sets), found  # type: ignore[arg-type]  # each is a list of names


def _short(alert: dict[str, Any]) -> dict[str, Any]:
    """Leave out what :meth:`Watch.from_json` adds again."""
    return {
        name: {**value, "path": re.sub(rf"^{PACKAGE}\.", ".", value["path"])} if isinstance(value, dict) else value
        for name, value in alert.items()
        if value is not None
    }


def _if_short(names: Sequence[str]) -> Sequence[str]:
    return names if len(json.dumps(names)) <= LONGEST else []


def _of(task_id: str | None, names: Sequence[str]) -> list[str]:
    """Return the names that look like an index of a task."""
    return [name for name in names if name.rpartition("_")[0] == task_id]


def _families(ids: Sequence[str], mapped: Collection[str]) -> list[str]:
    """Return what names such as ``load_0`` and ``load_1`` begin with, if they are tasks and no indexes of a task."""
    stems = {task_id.removesuffix("_0") for task_id in ids if task_id.endswith("_0")}
    return sorted(stems - set(mapped) - set(ids))


def _with_index(task: TaskInState, plain: Collection[str], watch: Watch) -> TaskInState:
    """Read an index out of a name: Airflow 3 joins it to the task's id, and leaves out the task itself."""
    stem, _, index = task.task_id.rpartition("_")
    is_index = task.map_index < 0 and index.isdecimal() and f"{stem}_0" in plain and stem not in plain
    if not is_index or stem in watch.families or task.task_id in watch.lookalikes:
        return task
    return replace(task, task_id=stem, map_index=int(index))


def _bits(names: Collection[str | None], ids: Sequence[str]) -> str:
    """Write a set of tasks; the last bit stands for the run."""
    bits = sum(1 << place for place, name in enumerate([*ids, None]) if name in names)
    return b85encode(zlib.compress(bits.to_bytes(len(ids) // 8 + 1, "little"), 9)).decode()


def _names(text: str, ids: Sequence[str]) -> list[str | None]:
    bits = int.from_bytes(zlib.decompress(b85decode(text)), "little")
    return [name for place, name in enumerate([*ids, None]) if bits >> place & 1]


def _digest(ids: Iterable[str]) -> str:
    return sha256("\n".join(ids).encode()).hexdigest()[:8]
