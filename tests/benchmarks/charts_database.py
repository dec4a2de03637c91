"""
A metadata database of Airflow 3.3 as a long-lived deployment has one: 40 DAGs, 2,014,800 task instances.

38 hourly DAGs of 12 tasks with 3,600 runs each, and two with 600 runs in which one task is mapped over 300 indexes.
``summarize_spark`` takes half as long again from the middle on; 5 % of the tries fail; the newest runs are still going.
The schema, the DAGs and their versions are Airflow's own work, only the history is written here.
"""

from __future__ import annotations

import json
import os
import pickle
import random
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

PLAIN_DAGS, PLAIN_RUNS = 38, 3600
MAPPED_DAGS, MAPPED_RUNS, MAPPED_WIDTH = 2, 600, 300
TASKS = (
    "wait_sqs_drain",
    "collect",
    "aggregate",
    "spark_score",
    "summarize_spark",
    "export_s3",
    "notify_sns",
    "wait_importers",
    "import_avro",
    "check_discrepancy",
    "publish_nrt",
    "cleanup",
)
MAPPED_TASK = "import_avro"
NEWEST = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
KEPT = 86_400  # seconds: then the newest 30 days are no longer full
SEED = 20161121

DAG_FILE = f"""
from datetime import datetime
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.empty import EmptyOperator

for number in range({PLAIN_DAGS + MAPPED_DAGS}):
    with DAG(f"agari_dag_{{number:02}}", schedule="@hourly", start_date=datetime(2026, 1, 1), catchup=False):
        before = None
        for task_id in {TASKS!r}:
            if number >= {PLAIN_DAGS} and task_id == {MAPPED_TASK!r}:
                task = BashOperator.partial(task_id=task_id).expand(bash_command=["true"] * 3)
            else:
                task = EmptyOperator(task_id=task_id)
            if before is not None:
                before >> task
            before = task
"""

RUN_COLUMNS = (
    "id, dag_id, queued_at, logical_date, start_date, end_date, state, run_id, run_type, triggered_by, conf, "
    "data_interval_start, data_interval_end, run_after, created_at, updated_at, clear_number, context_carrier, "
    "span_status, created_dag_version_id"
)
TRY_COLUMNS = (
    "task_id, dag_id, run_id, map_index, start_date, end_date, duration, state, try_number, max_tries, hostname, "
    "unixname, pool, pool_slots, queue, priority_weight, operator, queued_dttm, scheduled_dttm, pid, "
    "executor_config, updated_at, context_carrier, span_status, task_display_name, dag_version_id"
)
CARRIER = json.dumps({"__type": "dict", "__var": {}})


def dag_ids() -> list[str]:
    return [f"agari_dag_{number:02}" for number in range(PLAIN_DAGS + MAPPED_DAGS)]


def prepare(url: str, home: Path) -> None:
    """Let Airflow itself make the schema, the DAGs and their versions."""
    (home / "dags").mkdir(parents=True, exist_ok=True)
    (home / "dags" / "agari_dags.py").write_text(DAG_FILE)
    for command in (["db", "migrate"], ["dags", "reserialize"]):
        subprocess.run(
            [sys.executable, "-m", "airflow", *command],
            env=environment(url, home),
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def environment(url: str, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url,
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "TZ": "UTC",
    }


class History:
    """
    The rows of one DAG, the newest run last: ``runs``, ``instances`` (with their ids) and ``tries`` before the last.

    :param number: of the DAG.
    :param version_id: of its DAG version.
    """

    def __init__(self, number: int, version_id: str, pickled: Any) -> None:
        self.mapped = number >= PLAIN_DAGS
        self.dag_id = dag_ids()[number]
        self.version_id = version_id
        self._pickled = pickled
        self._random = random.Random(SEED + number)
        self._count = MAPPED_RUNS if self.mapped else PLAIN_RUNS
        self._first_id = number * PLAIN_RUNS + 1
        self.runs: list[tuple[Any, ...]] = []
        self.instances: list[tuple[Any, ...]] = []
        self.tries: list[tuple[Any, ...]] = []
        for index in range(self._count):
            self._add_run(index)

    def _add_run(self, index: int) -> None:
        due = NEWEST - timedelta(hours=self._count - 1 - index)
        manual = self._random.random() < 0.02
        run_id = f"{'manual' if manual else 'scheduled'}__{due.isoformat()}"
        moment, state = due + timedelta(seconds=1), "success"
        going = index == self._count - 1
        for position, task_id in enumerate(TASKS):
            if state == "failed":
                self._add(task_id, run_id, -1, None, None, "upstream_failed", 0, moment)
                continue
            if going and position >= 7:
                self._add(task_id, run_id, -1, moment if position == 7 else None, None, "running", 1, moment)
                state = "running"
                break
            width = MAPPED_WIDTH if self.mapped and task_id == MAPPED_TASK else 1
            ends = [self._add_tries(task_id, run_id, index, m if width > 1 else -1, moment) for m in range(width)]
            moment = max(end for end, _ in ends)
            if any(outcome == "failed" for _, outcome in ends):
                state = "failed"
        times = [text(due - timedelta(hours=1)), text(due)]
        self.runs.append(
            (
                self._first_id + index,
                self.dag_id,
                text(due),
                None if manual and index % 2 else text(due),
                text(due + timedelta(seconds=1)),
                None if going else text(moment),
                state,
                run_id,
                "manual" if manual else "scheduled",
                "UI" if manual else "TIMETABLE",
                "{}",
                *times,
                text(due),
                text(due),
                text(moment),
                0,
                CARRIER,
                "not_started",
                self.version_id,
            )
        )

    def _add_tries(self, task_id: str, run_id: str, index: int, map_index: int, moment: datetime) -> tuple[Any, str]:
        """One mapped index or plain task: up to three tries; (end of the last, its state)."""
        typical = 240.0 if "spark" in task_id else 40.0
        if task_id == "summarize_spark" and index > self._count // 2:
            typical *= 1.5
        failing = 0.17 if task_id == "summarize_spark" else 0.04
        for number in (1, 2, 3):
            queued = moment + timedelta(seconds=self._random.random())
            start = queued + timedelta(seconds=2 * self._random.random())
            failed = self._random.random() < failing
            end = start + timedelta(seconds=typical * self._random.lognormvariate(0, 0.25))
            if failed and number < 3:
                self._add(task_id, run_id, map_index, start, end, "failed", number, queued, superseded=True)
                moment = end + timedelta(seconds=300)
                continue
            state = "failed" if failed else "success"
            self._add(task_id, run_id, map_index, start, end, state, number, queued)
            return end, state
        raise AssertionError("a third try always ends it")

    def _add(
        self,
        task_id: str,
        run_id: str,
        map_index: int,
        start: datetime | None,
        end: datetime | None,
        state: str,
        number: int,
        queued: datetime,
        *,
        superseded: bool = False,
    ) -> None:
        row = (
            task_id,
            self.dag_id,
            run_id,
            map_index,
            start and text(start),
            end and text(end),
            (end - start).total_seconds() if start and end else None,
            state,
            number,
            2,
            "worker-1",
            "airflow",
            "default_pool",
            1,
            "default",
            1,
            "BashOperator",
            text(queued),
            text(queued),
            4711,
            self._pickled,
            text(end or queued),
            CARRIER,
            "not_started",
            task_id,
            self.version_id,
        )
        self.tries.append((self._id(), *row)) if superseded else self.instances.append((self._id(), *row))

    def _id(self) -> str:
        return uuid.UUID(int=self._random.getrandbits(128)).hex


def text(moment: datetime) -> str:
    """As SQLite's and PostgreSQL's columns both take it, in UTC."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def fill(tables: Any, pickled: Any) -> None:
    """Write the history through ``tables``, without its indexes, which come back at the end."""
    with tables.without_indexes():
        versions: Mapping[str, str] = dict(tables.query("SELECT dag_id, id FROM dag_version"))
        for number, dag_id in enumerate(dag_ids()):
            history = History(number, str(versions[dag_id]), pickled)
            tables.insert("dag_run", RUN_COLUMNS, history.runs)
            tables.insert("task_instance", f"id, {TRY_COLUMNS}", history.instances)
            tables.insert("task_instance_history", f"task_instance_id, {TRY_COLUMNS}", history.tries)
            print(f"\r  {number + 1} of {len(versions)} DAGs", end="", flush=True)
    print()


class SqliteTables:
    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path)
        self.connection.execute("PRAGMA synchronous = OFF")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def insert(self, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        places = ", ".join("?" * (columns.count(",") + 1))
        self.connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)
        self.connection.commit()

    @contextmanager
    def without_indexes(self) -> Iterator[None]:
        indexes = self.query("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL")
        with _without(self.connection.execute, indexes):
            yield
        self.connection.commit()


class PostgresTables:
    def __init__(self, uri: str) -> None:
        import psycopg

        self.connection = psycopg.connect(uri, autocommit=True)
        self.connection.execute("SET session_replication_role = replica")  # no foreign keys to check row by row
        self.connection.execute("SET timezone = 'UTC'")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()

    def insert(self, table: str, columns: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    @contextmanager
    def without_indexes(self) -> Iterator[None]:
        indexes = self.query(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN"
            " ('dag_run', 'task_instance', 'task_instance_history')"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
        with _without(self.connection.execute, indexes):
            yield
        self.connection.execute("VACUUM (ANALYZE)")  # as autovacuum has done on a database of this age


@contextmanager
def _without(execute: Callable[[str], Any], indexes: Sequence[tuple[Any, ...]]) -> Iterator[None]:
    """:param indexes: (name, definition) of each."""
    for name, _ in indexes:
        execute(f'DROP INDEX "{name}"')
    yield
    for _, definition in indexes:
        execute(definition)


def is_fresh(done: Path) -> bool:
    return done.exists() and time.time() - done.stat().st_mtime < KEPT


def sqlite_database(folder: Path) -> str:
    """URL of the database in ``folder``; made there if it is not yet."""
    path, done = folder / "airflow.db", folder / "airflow.db.made"
    url = f"sqlite:///{path}"
    if not is_fresh(done):
        print("making the metadata database in SQLite", flush=True)
        path.unlink(missing_ok=True)
        prepare(url, folder / "home")
        tables = SqliteTables(path)
        with closing(tables.connection):
            fill(tables, pickle.dumps({}))
        done.touch()
    return url


def postgres_database(server: Any, folder: Path) -> str:
    """URL of the database on ``server``; made there if it is not yet."""
    done = folder / "postgres.made"
    uri = server.get_uri("airflow")
    url = uri.replace("postgresql://", "postgresql+psycopg2://", 1)
    if not is_fresh(done):
        print("making the metadata database in PostgreSQL", flush=True)
        server.psql("DROP DATABASE IF EXISTS airflow")
        server.psql("CREATE DATABASE airflow")
        prepare(url, folder / "home")
        tables = PostgresTables(uri)
        with closing(tables.connection):
            fill(tables, pickle.dumps({}))
        done.touch()
    return url


def rows(url: str) -> Iterator[tuple[str, int]]:
    """(table, rows) of the tables that count."""
    import sqlalchemy

    with sqlalchemy.create_engine(url).connect() as connection:
        for table in ("dag_run", "task_instance", "task_instance_history"):
            yield table, connection.execute(sqlalchemy.text(f"SELECT count(*) FROM {table}")).scalar_one()
