"""What a check gets from Airflow's connections: counts of its stages, expected keys, and its date."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException
from airflow_agari_provider.discrepancy.reading import StageNotRead
from airflow_agari_provider.operators.discrepancy_check import Stage
from airflow_agari_provider.operators.discrepancy_sources import moment_of_run, source_of
from tests.operators.discrepancy_checks import check, context_of_run

PUBLISHED_CSV = Path(__file__).parents[1] / "discrepancy" / "discrepancy_2016-04-28.csv"


@pytest.fixture
def context():
    return context_of_run()


def test_counts_come_out_of_a_database_with_its_own_number_types(context, database):
    database.execute("insert into scored values (5, 2), (5, 3), (12, 4), (null, 1)")
    operator = check(
        stages=[
            Stage("Agg", counts={"5": 5, "12": 4}),
            Stage("DB", sql="select org_id, sum(messages) from scored group by org_id", conn_id="target"),
        ],
        on_discrepancy="alert",
    )
    result = operator.execute(context)
    assert result["rows"] == [
        ["12", 4, 4, 0, 0.0, ""],
        ["5", 5, 5, 0, 0.0, ""],
        ["NULL", 0, 1, -1, "new", "missing in Agg"],
    ]
    assert result["findings"] == ["NULL: gained 1 between Agg and DB (new), missing in Agg; allowed 0 and 0.0 %"]


@pytest.mark.skipif(
    not importlib.util.find_spec("airflow.providers.sqlite"), reason="needs apache-airflow-providers-sqlite"
)
def test_counts_come_out_of_sqlite(context, sqlite_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))
    with closing(sqlite3.connect(sqlite_path)) as connection:
        connection.executescript("create table scored (org_id int); insert into scored values (5), (5)")
    sql = "select org_id, count(*) from scored group by org_id"
    operator = check(stages=[Stage("Agg", counts={"5": 2}), Stage("DB", sql=sql, conn_id="target")])
    assert operator.execute(context)["rows"] == [["5", 2, 2, 0, 0.0, ""]]


def test_a_run_without_a_logical_date_is_named_by_when_it_ran(context):
    run_after = datetime(2026, 11, 21, 7, 30, tzinfo=UTC)
    context["dag_run"] = SimpleNamespace(logical_date=None, run_after=run_after)
    assert "Message counts 2026-11-21 07:30:00: Messages 1" in check().execute(context)["text"]


def test_stages_of_four_kinds_are_compared_in_one_check(context, database, s3, bucket):
    """The published table: the collectors' counts on S3, the job's from a function, the rest by SQL and XCom."""
    heading, *lines = PUBLISHED_CSV.read_text().splitlines()
    cells = [dict(zip(heading.split(","), line.split(","), strict=True)) for line in lines]
    body = "".join(json.dumps({"org_id": row["Org_ID"], "n": int(row["Collector Msgs"])}) + "\n" for row in cells)
    s3.put_object(Bucket=bucket, Key="collected/2016-02-03.json", Body=body.encode())
    for row in cells:
        database.execute("insert into scored values (%s, %s)", (row["Org_ID"], row["DB Msgs"]))

    def scored(hour):
        assert hour == "2016-02-03"
        return [(row["Org_ID"], int(row["Agg Msgs"])) for row in cells]

    operator = check(
        stages=[
            Stage(
                "Collector", s3_url=f"s3://{bucket}/collected/{{{{ ds }}}}.json", key_field="org_id", count_field="n"
            ),
            Stage("Agg", call=scored, arguments={"hour": "{{ ds }}"}),
            Stage("DB", sql="select org_id, sum(messages) from scored group by org_id", conn_id="target"),
            Stage("NRT DB", counts={row["Org_ID"]: int(row["NRT DB Msgs"]) for row in cells}),
        ],
        aws_conn_id=None,
    )
    operator.render_template_fields(context)
    result = operator.execute(context)
    assert [[str(cell) for cell in row] for row in result["rows"]] == [line.split(",") for line in lines]


@pytest.mark.parametrize(
    ("sql", "conn_id", "error", "says"),
    [
        (
            "select nothing from nowhere",
            "target",
            StageNotRead,
            "'DB' could not be read from connection target: .*nowhere",
        ),
        (
            "delete from scored",
            "target",
            AirflowFailException,
            "'DB' gave no usable counts: its statement returns no rows",
        ),
        ("select org_id from scored", "target", AirflowFailException, "a row has 1 columns, not 2"),
        (" ", "target", AirflowFailException, "'DB' gave no usable counts: its query is empty"),
        ("select 1, 1", "unknown", StageNotRead, "Stage 'DB' could not be read from connection unknown"),
        ("select 1, 1", "victorops", StageNotRead, "'DB' could not be read from connection victorops: .* runs no SQL"),
    ],
    ids=["no table", "no query", "no count", "empty", "no connection", "no database"],
)
@pytest.mark.usefixtures("alerts")
def test_an_error_of_a_query_names_its_stage(context, database, sql, conn_id, error, says):
    database.execute("insert into scored values (5, 1)")
    operator = check(stages=[Stage("Agg", counts={"5": 1}), Stage("DB", sql=sql, conn_id=conn_id)])
    with pytest.raises(error, match=says):
        operator.execute(context)


def test_rows_of_a_query_that_is_grouped_too_finely_are_added_up_and_told(context, database):
    database.execute("insert into scored values (5, 1), (5, 2)")
    sql = "select org_id, sum(messages) from scored group by org_id, messages"
    result = check(stages=[Stage("Agg", counts={"5": 3}), Stage("DB", sql=sql, conn_id="target")]).execute(context)
    assert result["verdict"] == "ok"
    assert "DB gave 1 key(s) more than once, such as 5; the counts were added up." in result["text"]


def test_expected_keys_may_be_a_query(context, database):
    database.execute("insert into scored values (7, 0), (9, 0)")
    query = Stage("Active", sql="select org_id from scored order by 1", conn_id="target")
    assert [row[0] for row in check(expected_keys=query).execute(context)["rows"]] == ["5", "7", "9"]


@pytest.mark.parametrize(
    ("date", "exactly", "text"),
    [
        (datetime(2016, 2, 3, tzinfo=UTC), False, "2016-02-03 00:00:00"),
        (datetime(2016, 2, 3, 0, 0, 0, 5, UTC), False, "2016-02-03 00:00:00"),
        (datetime(2016, 2, 3, 0, 0, 0, 5, UTC), True, "2016-02-03 00:00:00.000005"),
        (datetime(2016, 2, 3, tzinfo=UTC), True, "2016-02-03 00:00:00"),
        (datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")), False, "2026-10-25 00:30:00"),
        (datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")), False, "2026-10-25 01:30:00"),
    ],
    ids=["midnight", "cut", "exactly", "whole seconds", "in summer time", "an hour later"],
)
def test_the_date_of_a_run_is_in_utc_and_sorts_by_time(date, exactly, text):
    assert moment_of_run({"dag_run": SimpleNamespace(logical_date=date)}, exactly) == text


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        ([("5", 3), ("5", 4)], {"5": 7}),
        ([["5", 3]], {"5": 3}),
        ([{"5": 3}, {"5": 4}], {"5": 7}),
        ({"5": 3}, {"5": 3}),
        ('{"5": 3}', {"5": 3}),
        ({}, {}),
    ],
    ids=["rows", "lists", "dicts", "a dict", "text", "nothing"],
)
def test_a_function_may_return_rows_or_what_a_task_returns(value, counts):
    source = source_of(Stage("DB", call=lambda: value), "auto", {}, None, None)
    source.read(source.counted)
    assert source.counted.counts == counts
    assert source.seconds == 1800
