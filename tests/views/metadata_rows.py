"""Write the rows that a test needs into a metadata database with the tables of the installed Airflow."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import sessionmaker

from airflow_agari_provider.views.queries.tables import (
    DAG,
    DEADLINE,
    HISTORY,
    INSTANCE,
    LOG,
    RESCHEDULE,
    RUN,
    SERIALIZED,
    SLA_MISS,
    VERSION,
    shape,
)

EPOCH = 1_780_000_000  # 2026-05-28 20:26:40 UTC: second 0 of every test


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=seconds)


class Metadata:
    """
    Writes rows as Airflow does; every time is in seconds since ``EPOCH``.

    Columns that a version's table does not have are left out, so one test states the same history for all versions.
    """

    def __init__(self, uri: str) -> None:
        from airflow.models.base import Base

        if SLA_MISS is not None:
            import airflow.providers.fab.auth_manager.models  # noqa: F401  (Airflow 2's notes refer to its users)

        self.engine = sa.create_engine(uri)
        tables = [table for table in Base.metadata.sorted_tables if not table.name.startswith(("ab_", "session"))]
        notes = {"task_instance_note", "dag_run_note"}  # they refer to users, whose table MariaDB does not accept
        Base.metadata.create_all(self.engine, tables=[table for table in tables if table.name not in notes])
        self.engine.dispose()  # these connections still check constraints
        sa.event.listen(self.engine, "connect", _free_of_constraints(self.engine.dialect.name))
        self.session = sessionmaker(self.engine)()
        self.numbers: dict[str, int] = {}

    def close(self) -> None:
        self.session.close()
        self.engine.dispose()

    def add(self, table: Any, **values: Any) -> None:
        known = {name: value for name, value in values.items() if name in table.c}
        for column in table.c:
            if column.name not in known and not column.nullable and column.default is None and not column.primary_key:
                known[column.name] = _filler(column)
        self.session.execute(table.insert().values(**known))

    def dag(self, dag_id: str, tasks: list[dict[str, Any]] | None = None, **values: Any) -> None:
        bundle = sa.Table("dag_bundle", DAG.metadata) if "dag_bundle" in DAG.metadata.tables else None
        if bundle is not None and not self.session.execute(sa.select(bundle.c.name)).first():
            self.add(bundle, name="files")
        stale = {"is_stale": False, "is_active": True, "is_paused": False, "bundle_name": "files"}
        self.add(DAG, dag_id=dag_id, fileloc="dags.py", **{**stale, **values})
        if tasks is None:
            return
        version = uuid.uuid4()
        if VERSION is not None:
            self.add(VERSION, id=version, dag_id=dag_id, version_number=1, bundle_name="files")
        data = {"__version": 1, "dag": {"dag_id": dag_id, "tasks": [{"__var": task} for task in tasks]}}
        times = {"created_at": at(0), "last_updated": at(0), "dag_hash": "hash", "fileloc": "dags.py"}
        extra = {"fileloc_hash": 1, "processor_subdir": None, "id": version, "dag_version_id": version}
        self.add(SERIALIZED, dag_id=dag_id, data=data, **times, **extra)

    def run(self, dag_id: str, run_id: str, due: float, state: str = "success", **values: Any) -> int:
        number = self.numbers["run"] = self.numbers.get("run", 0) + 1
        dates = {"run_after": at(due), "execution_date": at(due), "logical_date": at(due)}
        usual = {"run_type": "scheduled", "start_date": at(due), "end_date": at(due + 3600), "clear_number": 0}
        self.add(
            RUN,
            id=number,
            dag_id=dag_id,
            run_id=run_id,
            state=state,
            **{**dates, **usual, "created_at": at(due), "updated_at": at(due), "span_status": "ended", **values},
        )
        return number

    def instance(
        self, dag_id: str, run_id: str, task_id: str, try_number: int, state: str | None, **values: Any
    ) -> Any:
        """Write a current task instance: see ``old_try`` for the values."""
        return self._try(INSTANCE, dag_id, run_id, task_id, try_number, state, **values)

    def old_try(self, dag_id: str, run_id: str, task_id: str, try_number: int, state: str | None, **values: Any) -> Any:
        """
        Write a try into the history.

        Values: ``scheduled``, ``queued``, ``start``, ``end`` in seconds, ``map_index``, ``max_tries``, ``operator``.
        """
        return self._try(HISTORY, dag_id, run_id, task_id, try_number, state, **values)

    def _try(
        self,
        table: Any,
        dag_id: str,
        run_id: str,
        task_id: str,
        try_number: int,
        state: str | None,
        *,
        scheduled: float | None = None,
        queued: float | None = None,
        start: float | None = None,
        end: float | None = None,
        **values: Any,
    ) -> Any:
        identity: Any = uuid.uuid4()
        newest = table is INSTANCE
        if "id" in INSTANCE.c and isinstance(INSTANCE.c.id.type, sa.String):  # Airflow 3.1
            identity = str(identity)
        number = self.numbers["history"] = self.numbers.get("history", 0) + 1
        times = {
            "scheduled_dttm": at(scheduled),
            "queued_dttm": at(queued),
            "start_date": at(start),
            "end_date": at(end),
            "duration": None if start is None or end is None else end - start,
            "updated_at": at(end or start or 0),
        }
        usual = {"map_index": -1, "max_tries": 2, "operator": "PythonOperator", "pool": "default_pool", "pool_slots": 1}
        ids = {"id": identity if newest else number, "task_instance_id": identity}
        keys = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "try_number": try_number, "state": state}
        row = {**ids, **keys, **usual, **times, **values}
        if table not in shape.STORED:  # since 3.4, all tries are in one table
            (table,) = shape.STORED
            row |= {"id": identity, "region_id": uuid.UUID(int=0), "region_index": row.pop("map_index")}
            row |= {"working_set": newest or None, "archived_reason": None if newest else "retry"}
            row["try_number"] = self._free_number(table, row) if newest else try_number
        self.add(table, **row)
        return identity

    def _free_number(self, table: Any, row: dict[str, Any]) -> int:
        """Return the newest try's number: 3.4 gives each try one, also where it makes its table from those of 3.3."""
        key = ("dag_id", "run_id", "task_id", "region_index")
        last = sa.select(sa.func.max(table.c.try_number)).where(*(table.c[name] == row[name] for name in key))
        before = self.session.execute(last).scalar()
        return int(row["try_number"]) if before is None else max(row["try_number"], before + 1)

    def event(self, dag_id: str, run_id: str, task_id: str, try_number: int, name: str, when: float, **values: Any):
        keys = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "try_number": try_number, "map_index": -1}
        self.add(LOG, event=name, dttm=at(when), **{**keys, **values})

    def look(
        self, dag_id: str, run_id: str, task_id: str, try_number: int, start: float, end: float, *, ti_id: Any = None
    ) -> None:
        """Write a poke of a rescheduled sensor. :param ti_id: id of the task instance; 2.11 keeps the other keys."""
        keys = {
            "dag_id": dag_id,
            "run_id": run_id,
            "task_id": task_id,
            "try_number": try_number,
            "map_index": -1,
            "ti_id": ti_id,
        }
        times = {"start_date": at(start), "end_date": at(end), "reschedule_date": at(end + 60)}
        self.add(RESCHEDULE, duration=end - start, **keys, **times)

    def deadline(self, run: int, when: float, missed: bool) -> None:
        from airflow.models.callback import Callback

        callback = uuid.uuid4()
        self.add(
            Callback.__table__,
            id=callback,
            type="triggerer",
            fetch_method="import_path",
            data={},
            state="pending",
            priority_weight=1,
            created_at=at(0),
        )
        self.add(
            DEADLINE,
            id=uuid.uuid4(),
            dagrun_id=run,
            deadline_time=at(when),
            missed=missed,
            callback_id=callback,
            created_at=at(0),
            last_updated_at=at(0),
        )

    def sla_miss(self, dag_id: str, task_id: str, due: float) -> None:
        self.add(SLA_MISS, dag_id=dag_id, task_id=task_id, execution_date=at(due))


def _free_of_constraints(database: str) -> Callable[[Any, Any], None]:
    """Return what to do on each new connection: a test writes only what the charts read, not all that rows refer to."""
    free = {"postgresql": "SET session_replication_role = replica", "mysql": "SET foreign_key_checks = 0"}.get(database)

    def prepare(connection: Any, record: Any) -> None:
        if free:
            with closing(connection.cursor()) as cursor:
                cursor.execute(free)
            connection.commit()

    return prepare


def _filler(column: Any) -> Any:
    kind = column.type.python_type
    return {str: "", int: 0, float: 0.0, bool: False, datetime: at(0), dict: {}}.get(kind, json.dumps({}))
