"""Readers of the same charts, with the database that they read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from airflow_agari_provider.views.cached_charts import SharedCharts
from airflow_agari_provider.views.parameters import overview_question, tries_question
from tests.views.metadata_rows import EPOCH, Metadata


@pytest.fixture
def shared(tmp_path):
    """(the charts of two DAGs, statements they sent, the clock)"""
    metadata = Metadata(f"sqlite:///{tmp_path}/airflow.db")
    for number, dag_id in enumerate(("open", "secret")):
        metadata.dag(dag_id)
        metadata.run(dag_id, "r", 100 * number)
        metadata.instance(dag_id, "r", "load", 1, "failed", start=10, end=30)
    metadata.session.commit()
    statements: list[str] = []
    sa.event.listen(metadata.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    clock = [EPOCH + 5000.0]

    @contextmanager
    def sessions() -> Iterator[Session]:
        with Session(metadata.engine) as session:
            yield session

    yield SharedCharts(sessions, clock=lambda: clock[0]), statements, clock
    metadata.close()


def test_readers_share_one_query_and_each_sees_only_permitted_dags(shared):
    charts, statements, clock = shared
    everything, asked = charts.all_dags(overview_question([]), {"open", "secret"})
    first = len(statements)
    clock[0] += 14
    theirs, then = charts.all_dags(overview_question([]), {"secret"})
    assert (asked, then) == (EPOCH + 5000, EPOCH + 5000)
    assert everything["dags"]["dag_id"] == ["open", "secret"]
    assert (theirs["dags"]["dag_id"], theirs["dags"]["failures"]) == (["secret"], [1])
    assert theirs["dags"]["window"]["success"] == [1]
    assert (everything["first_run"], theirs["first_run"]) == (EPOCH, EPOCH + 100)
    assert (first > 5, len(statements) - first) == (
        True,
        1,
    )  # it asks for the first run that they may see
    assert charts.all_dags(overview_question([]), set())[0]["dags"]["dag_id"] == []
    assert charts.all_task_time(overview_question([]), {"secret"})[0]["dags"]["dag_id"] == ["secret"]


def test_the_same_question_about_a_dag_is_asked_once_in_five_seconds(shared):
    charts, statements, clock = shared
    before = charts.dag_tries("open", tries_question([]))
    sent = len(statements)
    clock[0] += 4.9
    assert charts.dag_tries("open", tries_question([])) == before
    assert len(statements) == sent
    clock[0] += 0.1
    assert charts.dag_tries("open", tries_question([]))[1] == EPOCH + 5005
    assert b'"open"' in charts.dag_tries("open", tries_question([]))[0]
    assert b'"secret"' in charts.dag_tries("secret", tries_question([]))[0]
