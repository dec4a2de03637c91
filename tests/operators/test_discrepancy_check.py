from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from airflow_agari_provider.airflow_compat import DAG, AirflowFailException, BaseOperator, TaskDeferred
from airflow_agari_provider.operators.discrepancy_check import Stage, Tolerance
from tests.operators.discrepancy_checks import RUN, check, context_of_run, lossy

PUBLISHED_CSV = Path(__file__).parents[1] / "discrepancy" / "discrepancy_2016-04-28.csv"


@pytest.fixture
def context():
    return context_of_run()


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


def test_what_differs_only_in_the_second_reading_raises_no_alarm(context, database, monkeypatch):
    def sleep(seconds):
        database.execute("insert into scored values (5, 2), (7, 5)")

    monkeypatch.setattr("time.sleep", sleep)
    result = late(database, deferrable=False).execute(context)
    assert result["verdict"] == "ok"
    assert "Only the second reading differs for 7: not judged" in result["text"]
