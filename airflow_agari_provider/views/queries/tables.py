"""
Airflow's tables, and the SQL that differs between databases.

The queries use Core tables only: reading a thousand runs as ORM entities takes thirty times as long. The differences
between Airflow's versions are found in the tables themselves, not by a version number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from airflow.models import DagModel, DagRun, Log, Pool, TaskInstance, TaskReschedule, import_all_models
from airflow.models.base import Base
from airflow.models.dag import DagTag
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import UnaryExpression

from airflow_agari_provider.exceptions import AgariError

DAG = DagModel.__table__
TAG = DagTag.__table__
POOL = Pool.__table__
RUN = DagRun.__table__
RESCHEDULE = TaskReschedule.__table__
LOG = Log.__table__
SERIALIZED = SerializedDagModel.__table__
if "working_set" in TaskInstance.__table__.c:
    from airflow_agari_provider.views.queries import tries_in_one_table as shape
else:
    from airflow_agari_provider.views.queries import tries_in_two_tables as shape  # type: ignore[no-redef]
INSTANCE = shape.INSTANCE  # newest tries
HISTORY = shape.HISTORY  # older tries
INDEX = shape.INDEX  # columns that name one index of a task instance
NEWEST_MAY_BE_OLD_TOO = shape.NEWEST_MAY_BE_OLD_TOO  # a try may be in both
HISTORY_BY_RUN = shape.HISTORY_BY_RUN  # there is an index on the history's DAG and run
import_all_models()
# Tables that some versions do not have.
DEADLINE = Base.metadata.tables.get("deadline")
DEADLINE_ALERT = Base.metadata.tables.get("deadline_alert")
SLA_MISS = Base.metadata.tables.get("sla_miss")
VERSION = Base.metadata.tables.get("dag_version")
BUNDLE_TEAM = Base.metadata.tables.get("dag_bundle_team")
if BUNDLE_TEAM is not None and "team_name" not in BUNDLE_TEAM.c:  # 3.1 has the team's number there, and no teams yet
    BUNDLE_TEAM = None
XCOM, RENDERED = shape.XCOM, shape.RENDERED  # values that tasks returned or pushed; their rendered arguments
CODE = Base.metadata.tables["dag_code"]
# What 2.11 calls datasets are assets since 3.0, also in the names of tables and columns.
_ASSET = "asset" if "asset" in Base.metadata.tables else "dataset"
ASSET = Base.metadata.tables[_ASSET]
EVENT = Base.metadata.tables[f"{_ASSET}_event"]
EVENT_USE = Base.metadata.tables[f"dagrun_{_ASSET}_event"]  # which run got which event
CONSUMER = Base.metadata.tables[f"dag_schedule_{_ASSET}_reference"]  # which DAG is scheduled by which asset
EVENT_QUEUE = Base.metadata.tables[f"{_ASSET}_dag_run_queue"]  # which DAG has an asset and waits for others
EVENT_ASSET, CONSUMER_ASSET, QUEUED_ASSET = (table.c[f"{_ASSET}_id"] for table in (EVENT, CONSUMER, EVENT_QUEUE))
ASSET_NAME = ASSET.c["name"] if "name" in ASSET.c else ASSET.c["uri"]

# When a run was due. Since 3.0 its logical date may be null; before 3.0 the logical date was the only date.
RUN_AFTER = RUN.c["run_after"] if "run_after" in RUN.c else RUN.c["execution_date"]
LOGICAL_DATE = RUN.c["logical_date"] if "logical_date" in RUN.c else RUN.c["execution_date"]
# The version of the DAG that a run was created with, since 3.0.
RUN_VERSION = RUN.c["created_dag_version_id"] if "created_dag_version_id" in RUN.c else sa.null()
# Which stored DAG, and which file, belong to each other: since 3.0 by version, before by the file's place.
CODE_KEY, SERIALIZED_CODE_KEY = (
    (CODE.c["dag_version_id"], SERIALIZED.c["dag_version_id"])
    if "dag_version_id" in CODE.c
    else (CODE.c["fileloc_hash"], SERIALIZED.c["fileloc_hash"])
)
NOT_REMOVED = DAG.c["is_stale"].is_(False) if "is_stale" in DAG.c else DAG.c["is_active"].is_(True)  # condition on DAG
TRIES_HAVE_SCHEDULED = "scheduled_dttm" in HISTORY.c  # since 3.0; the same for INSTANCE
# Columns of when a try was scheduled and queued, the earliest first.
QUEUEING = ("scheduled_dttm", "queued_dttm") if TRIES_HAVE_SCHEDULED else ("queued_dttm",)
# Since 3.0 a poke of a sensor names its task instance by ``ti_id``; before 3.0, by DAG, task, run, index and try.
RESCHEDULE_BY_ID = "ti_id" in RESCHEDULE.c
LOGS_DEFERRALS = RESCHEDULE_BY_ID  # 2.11 logs that a task came back to a worker, not that it left one
# Condition for a missed deadline. 3.1 only records the state of the callback. None: there are no deadlines.
MISSED = None
if DEADLINE is not None:
    MISSED = DEADLINE.c["missed"] if "missed" in DEADLINE.c else DEADLINE.c["callback_state"].is_not(None)

# What the queries read besides; ``require_known_columns`` looks for it before the first query.
OF_A_TRY = "try_number state start_date end_date max_tries operator queued_dttm next_method"
READ = (
    (DAG, "dag_id is_paused dag_display_name owners"),
    (TAG, "dag_id name"),
    (POOL, "pool slots"),
    (RUN, "id dag_id run_id run_type state queued_at start_date end_date"),
    *((table, f"{' '.join(INDEX)} {OF_A_TRY}") for table in (INSTANCE, HISTORY)),
    (INSTANCE, "rendered_map_index pool pool_slots queue executor"),
    (LOG, "dag_id run_id task_id map_index try_number dttm event"),
    (SERIALIZED, "data data_compressed"),
    (VERSION, "id dag_id version_number"),
    (DEADLINE, "dagrun_id deadline_time"),
    (BUNDLE_TEAM, "dag_bundle_name team_name"),
    (None if BUNDLE_TEAM is None else DAG, "bundle_name"),
    (DEADLINE_ALERT, "serialized_dag_id reference callback_def"),
    (ASSET, "id"),
    (EVENT, "id source_dag_id source_run_id source_task_id timestamp"),
    (EVENT_USE, "event_id dag_run_id"),
    (CONSUMER, "dag_id created_at"),
    (EVENT_QUEUE, "target_dag_id"),
    (XCOM, "dag_id run_id task_id map_index key value"),
    (RENDERED, "dag_id run_id task_id map_index rendered_fields"),
    (CODE, "source_code"),
)

STATEMENT_TIMEOUT = 10  # seconds; on PostgreSQL
QUERY_CANCELED = "57014"  # PostgreSQL's error code for a cancelled statement


class UnreadableMetadata(AgariError):
    """
    Airflow's metadata database is not as the queries know it: this Airflow is newer than they are.

    :param missing: the columns that are missing, as ``table.column``.
    """

    def __init__(self, missing: Sequence[str]) -> None:
        super().__init__(missing)
        self.missing = missing

    def __str__(self) -> str:
        return (
            f"The charts read columns that this Airflow's metadata database does not have: {', '.join(self.missing)}. "
            "Update airflow-agari-provider; if its newest version says this too, report it with this text."
        )


def require_known_columns() -> None:
    """:raises UnreadableMetadata: a column that the queries read does not exist."""
    missing = [
        f"{table.name}.{name}"
        for table, names in READ
        if table is not None
        for name in names.split()
        if name not in table.c
    ]
    if missing:
        raise UnreadableMetadata(missing)


def dialect(session: Any) -> str:
    return str(session.get_bind().dialect.name)


def epoch(column: Any, database: str) -> Any:
    """Return a point in time as seconds since 1970; this takes half the time of letting the driver build each date."""
    if database == "postgresql":
        # not EXTRACT, which returns decimals of any length
        return sa.func.date_part(sa.text("'epoch'"), column, type_=sa.Float)
    if database == "mysql":
        # not UNIX_TIMESTAMP, which reads the column in the session's time zone
        micros = sa.func.timestampdiff(sa.text("MICROSECOND"), sa.text("'1970-01-01'"), column, type_=sa.Float)
        return micros / sa.literal(1e6, sa.Float)
    return (sa.func.julianday(sa.type_coerce(column, sa.String), type_=sa.Float) - 2440587.5) * 86400.0


def exact(column: Any, database: str) -> Any:
    """Return a point in time to the microsecond, for ``seconds_of``; the database's own type is quick to read."""
    return sa.type_coerce(column, sa.String() if database == "sqlite" else sa.DateTime(timezone=True))


def seconds_of(value: Any) -> float:
    """Return what ``exact`` read as seconds since 1970; SQLite has text, and MySQL no zone."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return float((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def unindexed(column: Any, database: str) -> Any:
    """
    Return the column in a form for which SQLite uses no index.

    Airflow never runs ANALYZE. So SQLite would pick an index that saves the sorting, and read the whole table by it.
    """
    if database != "sqlite":
        return column
    return UnaryExpression(column, operator=operators.custom_op("+"), type_=column.type)


def due_since(seconds: float) -> Any:
    return RUN_AFTER >= datetime.fromtimestamp(seconds, UTC)  # noqa: SIM300  (a column)


def limit_time(session: Any) -> None:
    """Let PostgreSQL cancel a slow statement of this transaction, so that the web server does not wait for it."""
    if dialect(session) == "postgresql":
        session.execute(sa.text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}s'"))


def gave_up(error: Any) -> bool:
    """Whether a database error means that PostgreSQL cancelled the statement: see ``limit_time``."""
    cause = getattr(error, "orig", None)
    return QUERY_CANCELED in (getattr(cause, "pgcode", None), getattr(cause, "sqlstate", None))
