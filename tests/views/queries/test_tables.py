"""The SQL that differs between databases gives the same values on each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from airflow_agari_provider.views.queries import tables
from airflow_agari_provider.views.queries.tables import RUN, RUN_AFTER, dialect, due_since, epoch, unindexed
from tests.views.metadata_rows import EPOCH, at

EAST = {"postgresql": ("SET TIME ZONE 'Asia/Kolkata'", "RESET TIME ZONE"),
        "mysql": ("SET time_zone = '+05:30'", "SET time_zone = DEFAULT")}  # fmt: skip


@pytest.fixture
def far_from_utc(metadata):
    """A session whose time zone is not UTC, where the database has such a thing."""
    there, back = EAST.get(metadata.engine.dialect.name, ("SELECT 1", "SELECT 1"))
    metadata.session.execute(sa.text(there))
    yield metadata
    metadata.session.execute(sa.text(back))


@pytest.mark.parametrize(
    "seconds", [0, 0.25, 7 * 86400 - EPOCH, 86400 * 365], ids=["whole", "fraction", "January 1970", "a year later"]
)
def test_a_moment_is_the_same_number_on_every_database_and_in_every_time_zone(far_from_utc, dag_id, seconds):
    session = far_from_utc.session
    far_from_utc.run(dag_id, "r", 0, queued_at=at(seconds), end_date=None)
    columns = (epoch(column, dialect(session)) for column in (RUN.c.queued_at, RUN.c.end_date))
    found = session.execute(sa.select(*columns).where(RUN.c.dag_id == dag_id)).one()
    assert tuple(found) == (pytest.approx(EPOCH + seconds, abs=0.001), None)


def test_a_run_is_due_since_a_moment_if_it_was_due_then_or_later(far_from_utc, dag_id):
    for number in range(3):
        far_from_utc.run(dag_id, f"r{number}", number)
    query = sa.select(RUN.c.run_id).where(RUN.c.dag_id == dag_id, due_since(EPOCH + 1)).order_by(RUN_AFTER)
    assert far_from_utc.session.execute(query).scalars().all() == ["r1", "r2"]


def test_only_sqlite_is_kept_from_an_index_and_its_column_has_the_same_value(metadata, dag_id):
    metadata.run(dag_id, "r", 0)
    column = unindexed(RUN.c.dag_id, dialect(metadata.session))
    assert (column is RUN.c.dag_id) is (dialect(metadata.session) != "sqlite")
    assert metadata.session.execute(sa.select(column).where(RUN.c.dag_id == dag_id)).scalar_one() == dag_id


def test_another_error_of_the_database_is_not_taken_for_a_timeout(metadata_on_postgres):
    with pytest.raises(DBAPIError) as broken, metadata_on_postgres.engine.connect() as connection:
        connection.execute(sa.text("SELECT * FROM no_table"))
    assert not tables.gave_up(broken.value)


def test_every_column_that_a_query_names_is_looked_for_before_the_first_query():
    source = "".join(path.read_text() for path in Path(tables.__file__).parent.glob("*.py"))
    named = set(re.findall(r"\b([A-Z_]+)\.c\.(\w+)", source)) | {
        (table, column) for column in re.findall(r"\btable\.c\.(\w+)", source) for table in ("INSTANCE", "HISTORY")
    }
    older = {"RESCHEDULE", "SLA_MISS"}  # 3.0 renamed columns of the one and has not the other
    # One of them, by what there is; and a column that is read only where there are teams
    chosen = {("SERIALIZED", "dag_id"), ("SERIALIZED", "dag_version_id"), ("DAG", "bundle_name")}
    of_shapes = {("TRY", "working_set"), ("TRY", "region_index")}
    looked_for = {
        (name, column)
        for name in {name for name, _ in named} - older - {"TRY"}
        for table, columns in tables.READ
        if table is getattr(tables, name)
        for column in columns.split()
    }
    assert {name for name in named if name[0] not in older} - looked_for - chosen - of_shapes == set()


def test_a_column_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(tables, "READ", ((RUN, "id clear_date"), (None, "anything")))
    with pytest.raises(tables.UnreadableMetadata, match=r"dag_run\.clear_date\. Update airflow-agari-provider"):
        tables.require_known_columns()


def test_this_airflow_has_every_column():
    tables.require_known_columns()
