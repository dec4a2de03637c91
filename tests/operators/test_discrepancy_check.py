from __future__ import annotations

import importlib.util
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_agari_provider.airflow_compat import DAG, AirflowFailException, BaseOperator, TaskDeferred
from airflow_agari_provider.discrepancy.errors import ReportNotDelivered
from airflow_agari_provider.discrepancy.reading import StageNotRead, WindowStillOpen
from airflow_agari_provider.operators.discrepancy_check import Comparison, Stage, Tolerance
from tests.operators.discrepancy_checks import RUN, check, context_of_run, lossy

PUBLISHED_CSV = Path(__file__).parents[1] / "discrepancy" / "discrepancy_2016-04-28.csv"


@pytest.fixture
def context():
    return context_of_run()


@pytest.fixture
def database(postgres_uri, monkeypatch):
    """Connection of a PostgreSQL database, to which ``airflow`` connects as ``target``."""
    import psycopg2

    parts = urlsplit(postgres_uri)
    fields = {"host": parse_qs(parts.query)["host"][0], "login": parts.username, "schema": parts.path.lstrip("/")}
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "postgres", **fields}))
    with closing(psycopg2.connect(postgres_uri)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("create table scored (org_id int, messages numeric)")
            yield cursor


def test_the_published_day_comes_out_cell_by_cell(context, mails):
    heading, *lines = PUBLISHED_CSV.read_text().splitlines()
    cells = [dict(zip(heading.split(","), line.split(","), strict=True)) for line in lines]
    stages = [
        Stage(stage, counts={row["Org_ID"]: int(row[f"{stage} Msgs"]) for row in cells})
        for stage in ("Collector", "Agg", "DB", "NRT DB")
    ]
    operator = check(
        stages=stages, environment="EP_STAGE", window="2016-04-28", facts={"RDAs": 22058}, email_to="ops@example.com"
    )
    result = operator.execute(context)
    assert result["verdict"] == "ok"
    assert [[str(cell) for cell in row] for row in result["rows"]] == [line.split(",") for line in lines]
    assert result["columns"] == heading.split(",")
    assert result["totals"] == ["Total", 273647, 261254, 261254, 0, 0.0, 698, 260556, 95.2, 12393, ""]
    assert json.loads(json.dumps(result)) == result
    ((recipients, mail),) = mails
    assert recipients == ["ops@example.com"]
    assert mail["From"] == "airflow@example.com"
    assert mail["Subject"] == RUN.replace("2016-02-03 00:00:00", "2016-04-28 successfully")
    assert mail.get_body(("plain",)).get_content().splitlines() == result["text"].splitlines()
    header = "<h1>EP_STAGE Message counts 2016-04-28: RDAs 22058, Messages 261254</h1>"
    assert header in mail.get_body(("html",)).get_content()
    (attachment,) = mail.iter_attachments()
    assert attachment.get_content() == PUBLISHED_CSV.read_text()


def test_a_discrepancy_is_mailed_and_posted_and_then_fails_the_task_for_good(context, mails, alerts):
    with pytest.raises(AirflowFailException, match="lost 1,204 between Agg and DB"):
        lossy().execute(context)
    ((recipients, mail),) = mails
    assert recipients == ["ops@example.com", "dev@example.com"]
    assert mail["Subject"] == RUN + " with High Discrepancies"
    (body,) = alerts.slack()
    assert body["text"].split("\n")[0] == RUN + " with High Discrepancies"
    assert "• 5: lost 1,204 between Agg and DB (13.4 %)" in body["text"]
    assert "<http://airflow/log|Log of the task>" in body["text"]
    result = context["ti"].pushed["return_value"]
    assert (result["verdict"], result["keys"], result["discrepant"]) == ("high discrepancies", 2, 1)


def test_an_alert_tells_and_lets_the_task_succeed(context, mails, alerts):
    result = lossy(on_discrepancy="alert").execute(context)
    assert result["verdict"] == "high discrepancies"
    assert (len(mails), len(alerts.slack())) == (1, 1)


def test_slack_hears_of_a_discrepancy_again_only_when_it_grows(context, mails, database, alerts):
    said = []
    for day, stored in [(3, 7), (4, 7), (5, 2), (6, 10)]:
        context["dag_run"].logical_date = datetime(2016, 2, day, tzinfo=UTC)
        operator = check(
            stages=[Stage("Agg", counts={"5": 10}), Stage("DB", counts={"5": stored})],
            slack_conn_id="slack_hook",
            email_to="ops@example.com",
            history_conn_id="target",
            on_discrepancy="alert",
        )
        result = operator.execute(context)
        said += [[line.rpartition("; ")[2] for line in result["findings"]] or result["text"].split("\n")[1]]
    assert said == [
        ["allowed 0 and 0.0 %"],
        ["same as before"],
        ["growing from 3"],
        "0 of 1 keys differ by more than allowed. 1 recovered: 5.",
    ]
    assert len(mails) == 4
    assert [body["text"].split("\n")[0].split(" ")[4] for body in alerts.slack()] == ["2016-02-03", "2016-02-05"]


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


def late(database, **arguments):
    database.execute("insert into scored values (5, 1)")
    sql = "select org_id, sum(messages) from scored group by org_id"
    return check(
        stages=[Stage("Agg", counts={"5": 3, "7": 1}), Stage("DB", sql=sql, conn_id="target")],
        recheck_after=timedelta(minutes=5),
        **arguments,
    )


def test_a_database_that_catches_up_before_the_recheck_raises_no_alarm(context, database):
    operator = late(database, deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute(context)
    assert deferred.value.method_name == "execute_recheck"
    wait = deferred.value.trigger.moment - datetime.now(UTC)
    assert timedelta(minutes=4) < wait <= timedelta(minutes=5)
    database.execute("insert into scored values (5, 2), (7, 1)")
    result = operator.execute_recheck(context, event="time", **deferred.value.kwargs)
    assert result["verdict"] == "ok"
    assert "0 of 2 keys differ by more than allowed. 2 did at first; counted again after 0:05:00." in result["text"]


def test_a_discrepancy_that_stays_after_the_recheck_fails(context, database, monkeypatch):
    slept = []

    def sleep(seconds):
        slept.append(seconds)
        database.execute("insert into scored values (5, 2)")

    monkeypatch.setattr("time.sleep", sleep)
    with pytest.raises(AirflowFailException, match="7: lost 1 between Agg and DB"):
        late(database, deferrable=False).execute(context)
    assert slept == [300.0]
    assert "1 of 2 keys differ by more than allowed. 2 did at first" in context["ti"].pushed["return_value"]["text"]


def test_counts_that_cannot_change_are_not_waited_for(context):
    operator = lossy(recheck_after=timedelta(days=1), deferrable=True)
    operator.slack_conn_id = operator.email_to = None
    with pytest.raises(AirflowFailException):
        operator.execute(context)


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_templates_inside_stages_render_and_the_dag_file_s_stages_stay_as_they_are(context, database, native):
    context["ti"].outputs["score"] = {"counts": {"scored": {"5": 3}}}
    stages = [
        Stage("Agg", counts="{{ ti.xcom_pull(task_ids='score')['counts']['scored'] }}"),
        Stage("DB", sql="select 5, {{ ds[3:4] }} + 2 -- {{ ds }}", conn_id="{{ 'target' }}"),
    ]
    with DAG("d", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC), render_template_as_native_obj=native):
        operator = check(
            stages=stages,
            title="of {{ ds }}",
            notes={5: "on {{ ds }}"},
            facts={"RDAs": "{{ 7 }}"},
            on_discrepancy="alert",
        )
    operator.render_template_fields(context)
    result = operator.execute(context)
    assert result["rows"] == [["5", 3, 8, -5, -166.7, "on 2016-02-03"]]
    assert "of 2016-02-03 2016-02-03 00:00:00: RDAs 7, Messages 3" in result["text"]
    assert stages[1]["sql"] == "select 5, {{ ds[3:4] }} + 2 -- {{ ds }}"


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_notes_and_facts_may_be_templates_of_a_whole_mapping(context, native):
    context["ti"].outputs["score"] = {"notes": {5: "moved"}, "facts": {"RDAs": 7}}
    template = "{{ ti.xcom_pull(task_ids='score')['%s'] }}"
    with DAG("d", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC), render_template_as_native_obj=native):
        operator = check(notes=template % "notes", facts=template % "facts", window="{{ 7 }}", title="{{ 8 }}")
    operator.render_template_fields(context)
    result = operator.execute(context)
    assert result["rows"] == [["5", 1, 1, 0, 0.0, "moved"]]
    assert "8 7: RDAs 7, Messages 1" in result["text"]


@pytest.mark.parametrize("argument", ["notes", "facts"])
def test_notes_and_facts_that_are_no_mapping_are_an_error_in_words(context, argument):
    with pytest.raises(
        AirflowFailException, match=f"{argument} is not usable: expected a mapping, got the text 'moved'"
    ):
        check(**{argument: "moved"}).execute(context)


def test_a_sql_file_next_to_the_dag_is_a_template(context, database, tmp_path):
    (tmp_path / "count.sql").write_text("select 5, count(*) from scored where '{{ ds }}' = '2016-02-03'")
    with DAG("d", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC), template_searchpath=str(tmp_path)):
        operator = check(
            stages=[Stage("Agg", counts={5: 0}), Stage("DB", sql="count.sql", conn_id="target")], on_empty="ok"
        )
    operator.render_template_fields(context)
    assert operator.execute(context)["rows"] == [["5", 0, 0, 0, 0.0, ""]]


def test_a_task_whose_output_a_stage_takes_runs_before():
    with DAG("d", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC)):
        score = BaseOperator(task_id="score")
        operator = check(stages=[Stage("Agg", counts=score.output), Stage("DB", counts={})])
    assert operator.upstream_task_ids == {"score"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"stages": [Stage("Agg", counts={})]}, "two or more stages"),
        ({"comparisons": [Comparison("Loss", "Agg", "Db")]}, r"names the stage\(s\) \['Db'\]"),
        ({"skips": {}}, 'skips needs exactly one comparison with judge="gain"'),
        ({"on_discrepancy": "warn"}, "on_discrepancy is one of fail, alert, not 'warn'"),
        ({"on_empty": "skip"}, "on_empty is one of fail, alert, ok, not 'skip'"),
        ({"on_silent": "fail"}, "on_silent is one of ok, warn, alarm, not 'fail'"),
        ({"key": "integer"}, "key is one of auto, text, int, .*, not 'integer'"),
        ({"tolerance": "{{ params.tolerance }}"}, "tolerance is a Tolerance, not '{{ params.tolerance }}'"),
        ({"tolerances": {5: 10}}, "tolerances.* is a Tolerance, not 10"),
        ({"recheck_after": 300}, "recheck_after is a timedelta, not 300"),
        ({"grace": "{{ params.grace }}"}, "grace is a timedelta, not '{{ params.grace }}'"),
        ({"history_runs": "400"}, "history_runs is a whole number of runs, 1 or more, not '400'"),
        ({"expected": ["DB"]}, r"expected is a list of Expected, not \['DB'\]"),
    ],
    ids=[
        "one stage",
        "unknown stage",
        "skips of no comparison",
        "unknown reaction",
        "empty",
        "silent",
        "key",
        "template",
        "count",
        "seconds",
        "template of a time",
        "text",
        "names",
    ],
)
def test_what_cannot_work_is_refused_when_the_dag_is_parsed(arguments, says):
    with pytest.raises(ValueError, match=says):
        check(**arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"sql": "select 1"},
        {"conn_id": "x"},
        {"sql": "s", "conn_id": "c", "counts": {}},
        {"counts": {}, "call": dict},
        {"s3_url": "s3://b/k", "conn_id": "c"},
    ],
    ids=str,
)
def test_a_stage_is_a_query_or_counts(arguments):
    with pytest.raises(ValueError, match="Stage 'DB' needs either sql and conn_id, or counts, or s3_url, or call"):
        Stage("DB", **arguments)


def test_unusable_counts_end_the_task_without_retry(context):
    with pytest.raises(AirflowFailException, match="Stage 'DB' gave no usable counts"):
        check(stages=[Stage("Agg", counts={}), Stage("DB", counts="None")]).execute(context)


@pytest.mark.parametrize("given", [None, "EP_PROD"], ids=["by default", "given"])
def test_the_environment_is_the_deployment_s_unless_it_is_given(context, monkeypatch, given):
    monkeypatch.setenv("AIRFLOW__AGARI__ENVIRONMENT", "EP_STAGE")
    text = check(environment=given).execute(context)["text"]
    assert text.startswith(f"{given or 'EP_STAGE'} Message counts 2016-02-03 00:00:00")


def test_expected_keys_and_the_greeting_are_templates(context, mails):
    context["ti"].outputs["organisations"] = ["5", "7"]
    with DAG("d", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC)):
        operator = check(
            stages=[Stage("Agg", counts={"5": 1}), Stage("DB", counts={"5": 1})],
            expected_keys="{{ ti.xcom_pull(task_ids='organisations') | tojson }}",
            greeting="Hello, it is {{ ds }},",
            email_to="ops@example.com",
        )
    operator.render_template_fields(context)
    result = operator.execute(context)
    assert (result["verdict"], result["rows"][1]) == ("ok", ["7", 0, 0, 0, 0.0, ""])
    ((_, mail),) = mails
    lines = mail.get_body(("plain",)).get_content().splitlines()
    assert lines[:4] == ["Hello, it is 2016-02-03,", "", f"{RUN} successfully.", "Messages: 1"]


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_expected_keys_that_are_not_known_end_the_task_without_retry(context, native):
    context["ti"].outputs["organisations"] = None
    with DAG("d", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC), render_template_as_native_obj=native):
        operator = check(expected_keys="{{ ti.xcom_pull(task_ids='organisations') }}")
    operator.render_template_fields(context)
    with pytest.raises(AirflowFailException, match="The expected keys are not usable"):
        operator.execute(context)


def skipping(skips, agg=111, **arguments):
    return check(
        stages=[
            Stage("Collector", counts={"12": 315}),
            Stage("Read", counts={"12": 315}, shown=False),
            Stage("Agg", counts={"12": agg}),
            Stage("DB", counts={"12": agg}),
        ],
        skips=skips,
        on_discrepancy="alert",
        **arguments,
    )


def test_counted_skips_are_a_template_and_account_for_what_is_missing(context):
    context["ti"].outputs["score"] = {"duplicate": {"12": 144}, "no sender": {"12": 60}}
    with DAG("d", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC)):
        operator = skipping("{{ ti.xcom_pull(task_ids='score') | tojson }}")
    operator.render_template_fields(context)
    result = operator.execute(context)
    assert result["verdict"] == "ok"
    assert result["rows"] == [["12", 315, 111, 111, 0, 0.0, 204, ""]]
    assert result["skipped"] == {"duplicate": 144, "no sender": 60}
    assert "Accounted for: 204 skipped (duplicate 144, no sender 60)." in result["text"]


def test_what_the_counted_skips_do_not_account_for_is_told_with_the_reasons(context, alerts):
    said = "12: lost 3 between Collector and Agg (1.0 %), besides 204 skipped (duplicate 144, no sender 60)"
    operator = skipping({"duplicate": {12: 144}, "no sender": {12: 60}}, agg=108, slack_conn_id="slack_hook")
    assert operator.execute(context)["findings"] == [f"{said}, first 3 between Read and Agg; allowed 0 and 0.0 %"]
    (body,) = alerts.slack()
    assert said in body["text"]


@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
def test_skips_that_are_not_known_end_the_task_without_retry(context, native):
    context["ti"].outputs["score"] = None
    with DAG("d", schedule=None, start_date=datetime(2016, 1, 1, tzinfo=UTC), render_template_as_native_obj=native):
        operator = skipping("{{ ti.xcom_pull(task_ids='score') }}")
    operator.render_template_fields(context)
    with pytest.raises(AirflowFailException, match="The counted skips are not usable"):
        operator.execute(context)


NOTHING = [Stage("Agg", counts={}), Stage("DB", counts={"5": 0})]


@pytest.mark.parametrize(
    "arguments", [{}, {"on_discrepancy": "alert"}, {"tolerance": Tolerance(min_volume=9)}], ids=str
)
def test_a_check_that_counted_nothing_alerts_and_fails_for_good(context, alerts, arguments):
    with pytest.raises(AirflowFailException, match="Nothing was counted: all stages from Agg to DB are empty"):
        check(stages=NOTHING, slack_conn_id="slack_hook", **arguments).execute(context)
    (body,) = alerts.slack()
    assert "• Nothing was counted: all stages from Agg to DB are empty" in body["text"]


@pytest.mark.parametrize(
    ("on_empty", "verdict", "told"), [("alert", "high discrepancies", 1), ("ok", "ok", 0)], ids=str
)
def test_what_a_check_does_that_counted_nothing_can_be_chosen(context, alerts, on_empty, verdict, told):
    result = check(stages=NOTHING, on_empty=on_empty, slack_conn_id="slack_hook").execute(context)
    assert (result["verdict"], len(alerts.slack())) == (verdict, told)


def test_what_all_keys_lost_together_fails_the_task(context):
    keys = [str(number) for number in range(1000)]
    stages = [Stage("Agg", counts=dict.fromkeys(keys, 2)), Stage("DB", counts=dict.fromkeys(keys, 1))]
    with pytest.raises(AirflowFailException, match=r"1,000 keys together: lost 1,000 between Agg and DB \(50.0 %\)"):
        check(stages=stages, tolerance=Tolerance(count=1)).execute(context)
    assert check(stages=stages, tolerance=Tolerance(count=1), total_tolerance=Tolerance(percent=50)).execute(context)


def test_a_warning_is_posted_and_pages_nobody(context, alerts):
    stages = [Stage("Agg", counts={"5": 100}), Stage("DB", counts={"5": 98})]
    operator = check(
        stages=stages,
        tolerance=Tolerance(count=10),
        warn_tolerance=Tolerance(),
        slack_conn_id="slack_hook",
        victorops_conn_id="victorops",
    )
    result = operator.execute(context)
    assert (result["verdict"], result["discrepant"]) == ("warning", 0)
    assert result["findings"] == ["5: lost 2 between Agg and DB (2.0 %); warned beyond 0 and 0.0 %"]
    (body,) = alerts.slack()
    assert body["text"].startswith(f"{RUN} with Warnings\n")
    assert alerts.victorops() == []


@pytest.mark.parametrize(
    ("on_silent", "verdict", "findings"),
    [
        ("ok", "ok", []),
        ("warn", "warning", ["7: expected, but silent in every stage"]),
        ("alarm", "high discrepancies", ["7: expected, but silent in every stage"]),
    ],
    ids=str,
)
def test_an_expected_key_that_is_silent_is_named(context, on_silent, verdict, findings):
    result = check(expected_keys=["5", "7"], on_silent=on_silent, on_discrepancy="alert").execute(context)
    assert (result["verdict"], result["findings"]) == (verdict, findings)
    assert "Expected, but silent: 7." in result["text"]


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


def test_a_rule_of_the_keys_holds_everywhere(context):
    result = check(
        stages=[Stage("Agg", counts={"005": 9, "7": 2}), Stage("DB", counts={5: 7, "07": 1})],
        key="int",
        tolerances={"0005": Tolerance(count=2)},
        notes={"05": "moved house"},
        expected_keys=["009"],
        on_discrepancy="alert",
    ).execute(context)
    assert result["rows"] == [
        ["5", 9, 7, 2, 22.2, "moved house"],
        ["7", 2, 1, 1, 50.0, ""],
        ["9", 0, 0, 0, 0.0, ""],
    ]
    assert [line.partition(":")[0] for line in result["findings"]] == ["7"]


def test_stages_that_share_no_key_are_told_so(context):
    stages = [Stage("Agg", counts={"a": 1}), Stage("DB", counts={"A": 1})]
    result = check(stages=stages, on_discrepancy="alert").execute(context)
    assert "Agg and DB share no key (Agg: 'a'; DB: 'A'). Are keys written differently?" in result["text"]


def test_a_window_that_is_still_open_is_not_counted(context):
    end = datetime.now(UTC) - timedelta(minutes=30)
    with pytest.raises(WindowStillOpen, match="The window is open until"):
        check(window_end=end.isoformat(), grace=timedelta(hours=1)).execute(context)
    assert check(window_end=f"{end:%Y-%m-%d %H:%M:%S}").execute(context)["verdict"] == "ok"


def test_what_differs_only_in_the_second_reading_raises_no_alarm(context, database, monkeypatch):
    def sleep(seconds):
        database.execute("insert into scored values (5, 2), (7, 5)")

    monkeypatch.setattr("time.sleep", sleep)
    result = late(database, deferrable=False).execute(context)
    assert result["verdict"] == "ok"
    assert "Only the second reading differs for 7: not judged" in result["text"]


def test_the_whole_table_goes_to_s3_and_mail_and_slack_link_to_it(context, mails, alerts, s3, bucket):
    operator = lossy(report_url=f"s3://{bucket}/{{{{ ds }}}}.csv", aws_conn_id=None, on_discrepancy="alert")
    operator.render_template_fields(context)
    result = operator.execute(context)
    assert result["report_url"] == "s3://agari/2016-02-03.csv"
    assert s3.get_object(Bucket=bucket, Key="2016-02-03.csv")["Body"].read().startswith(b"Org_ID,Agg Msgs,DB Msgs,")
    link = "https://console.aws.amazon.com/s3/object/agari?prefix=2016-02-03.csv"
    assert f"<{link}|The whole table>" in alerts.slack()[0]["text"]
    assert f'<a href="{link}">' in mails[0][1].get_body(("html",)).get_content()


def test_a_table_that_cannot_be_written_silences_nobody(context, mails, alerts, aws):
    operator = lossy(report_url="s3://nowhere/table.csv", aws_conn_id=None, on_discrepancy="alert")
    with pytest.raises(ReportNotDelivered, match="could not be sent by S3:"):
        operator.execute(context)
    assert (len(mails), len(alerts.slack())) == (1, 1)
    assert "The whole table could not be written to s3://nowhere/table.csv" in alerts.slack()[0]["text"]
