"""The statements use indexes that Airflow has: no chart may read a whole table with millions of rows."""

from __future__ import annotations

import re
import time
from collections import defaultdict

import pytest
import sqlalchemy as sa

from airflow_agari_provider.views import charts_api
from airflow_agari_provider.views.parameters import overview_question, tries_question
from airflow_agari_provider.views.queries.overview import OLD_FAILURES, first_run
from airflow_agari_provider.views.queries.overview_tries import sums
from airflow_agari_provider.views.queries.tables import HISTORY_BY_RUN, INSTANCE, RUN, due_since, unindexed
from tests.views.metadata_rows import EPOCH

RUNS, DAGS, TASKS = 150, 8, 5
# Only the first column of an index is used, which has one value in most rows, or in all rows of a DAG.
TOO_WIDE = r"task_instance USING (COVERING )?INDEX \w+ \(working_set=\?\)|task_instance USING INDEX \w+ \(dag_id=\?\)"


@pytest.fixture(scope="module")
def filled(request):
    """``filled(name)``: the database with statistics and enough rows that an index is worth using."""

    def fill(name):
        metadata = request.getfixturevalue(f"metadata_on_{name}")
        if metadata.session.execute(sa.select(sa.func.count()).where(RUN.c.dag_id.like("plan%"))).scalar_one():
            return metadata
        rows = defaultdict(list)
        capture = metadata.add
        metadata.add = lambda table, **values: rows[table].append(values)
        for dag in range(DAGS):
            for number in range(RUNS):
                due = number * 3600
                metadata.run(f"plan{dag}", f"r{number}", due)
                for task in range(TASKS):
                    key = f"plan{dag}", f"r{number}", f"t{task}"
                    if (number + task) % 20 == 0:
                        metadata.old_try(*key, 1, "failed", start=due, end=due + 5)
                    came_back = {"scheduled": due + 15, "queued": due + 15} if task == 1 else {}  # from the triggerer
                    metadata.instance(*key, 2, "success", start=due + 10, end=due + 20, **came_back)
        metadata.add = capture
        for dag in range(DAGS):
            metadata.dag(f"plan{dag}", [{"task_id": "t1"}])
        for table, of_table in rows.items():
            known = [{name: value for name, value in row.items() if name in table.c} for row in of_table]
            metadata.session.execute(table.insert(), known)
        metadata.session.commit()
        if name == "postgres":
            with metadata.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(sa.text("ANALYZE"))
        return metadata

    return fill


def plans(metadata, explain, call):
    """The plan of every statement of a call."""
    found = []

    def look(connection, cursor, statement, parameters, context, executemany):
        if statement.startswith("SELECT"):
            cursor = connection.connection.cursor()
            cursor.execute(f"{explain} {statement}", parameters)
            found.append("\n".join(str(row[-1]) for row in cursor.fetchall()))
            cursor.close()

    sa.event.listen(metadata.engine, "before_cursor_execute", look)
    try:
        call(metadata.session)
    finally:
        sa.event.remove(metadata.engine, "before_cursor_execute", look)
        metadata.session.rollback()
    return found


def tries(session):
    charts_api.dag_tries(session, "plan3", tries_question([("runs", "10")]), EPOCH + 1e6)


def one_task(session):
    charts_api.dag_tries(session, "plan3", tries_question([("runs", "10"), ("task_id", "t2")]), EPOCH + 1e6)


def turned(session):
    for way in ("before", "after"):
        question = tries_question([("runs", "10"), (way, f"{EPOCH + 50 * 3600}-50")])
        charts_api.dag_tries(session, "plan3", question, EPOCH + 1e6)


def overview(session):
    now = EPOCH + (RUNS + 5) * 3600
    charts_api.all_dags(session, overview_question([("days", "1")]), now)
    charts_api.all_task_time(session, overview_question([("days", "1")]), now)
    first_run(session, {"plan3"})


@pytest.mark.parametrize("call", [tries, turned, one_task, overview])
def test_sqlite_never_reads_all_task_instances(filled, call):
    found = plans(filled("sqlite"), "EXPLAIN QUERY PLAN", call)
    text = "\n".join(found)
    assert not re.search(rf"SCAN (task_instance|log)\b|{TOO_WIDE}", text), text
    assert "SEARCH task_instance USING" in text, text
    assert "SEARCH log USING" in text or call is one_task, text
    if HISTORY_BY_RUN:
        assert not re.search(r"SCAN task_instance_history\b", text), text
        assert "idx_tih_dag_run" in text or "ti_dag_run (dag_id=? AND run_id=?)" in text or call is one_task, text


def test_sqlite_reads_tries_by_the_index_of_their_runs(filled):
    text = "\n".join(plans(filled("sqlite"), "EXPLAIN QUERY PLAN", tries))
    assert "ti_dag_run (dag_id=? AND run_id=?)" in text or "(dag_id=? AND task_id=? AND run_id=?" in text, text


@pytest.mark.parametrize("call", [tries, turned, one_task])
def test_postgres_never_reads_all_task_instances(filled, call):
    text = "\n".join(plans(filled("postgres"), "EXPLAIN", call))
    assert not re.search(r"Seq Scan on task_instance\b", text), text
    assert re.search(r"using (ti_|task_instance_)\w+ on task_instance\b", text), text


def test_postgres_looks_up_no_other_row_for_tries_that_are_told_by_their_own(filled):
    """Else it sorts every row instead of summing in its workers, and its planned cost makes it compile the query."""

    def failures(session):
        sums(session, OLD_FAILURES, EPOCH, EPOCH + (RUNS + 5) * 3600)

    (plan,) = plans(filled("postgres"), "EXPLAIN", failures)
    assert "SubPlan" not in plan, plan


def test_the_plans_would_tell_if_sqlite_were_let_to_choose(filled):
    """Without the unary plus, SQLite picks an index that saves the sorting, and reads the whole table by it."""

    def counted(plain):
        """:param plain: takes a column."""
        same = (plain(RUN.c[name]) == INSTANCE.c[name] for name in ("dag_id", "run_id"))
        query = sa.select(INSTANCE.c.dag_id, sa.func.count()).select_from(RUN.join(INSTANCE, sa.and_(*same)))
        query = query.where(due_since(time.time())).group_by(plain(INSTANCE.c.dag_id))
        return plans(filled("sqlite"), "EXPLAIN QUERY PLAN", lambda session: session.execute(query).all())[0]

    assert re.search(rf"SCAN task_instance\b|{TOO_WIDE}", counted(lambda column: column))
    assert not re.search(r"SCAN task_instance\b", counted(lambda column: unindexed(column, "sqlite")))
