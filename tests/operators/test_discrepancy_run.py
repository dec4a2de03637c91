"""One run of a check: what is counted, judged and told, and how the task ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException
from airflow_agari_provider.discrepancy.errors import ReportNotDelivered
from airflow_agari_provider.discrepancy.reading import WindowStillOpen
from airflow_agari_provider.operators.discrepancy_check import Stage, Tolerance
from tests.operators.discrepancy_checks import check, context_of_run, lossy

NOTHING = [Stage("Agg", counts={}), Stage("DB", counts={"5": 0})]


@pytest.fixture
def context():
    return context_of_run()


def test_unusable_counts_end_the_task_without_retry(context):
    with pytest.raises(AirflowFailException, match="Stage 'DB' gave no usable counts"):
        check(stages=[Stage("Agg", counts={}), Stage("DB", counts="None")]).execute(context)


@pytest.mark.parametrize("given", [None, "EP_PROD"], ids=["by default", "given"])
def test_the_environment_is_the_deployment_s_unless_it_is_given(context, monkeypatch, given):
    monkeypatch.setenv("AIRFLOW__AGARI__ENVIRONMENT", "EP_STAGE")
    text = check(environment=given).execute(context)["text"]
    assert text.startswith(f"{given or 'EP_STAGE'} Message counts 2016-02-03 00:00:00")


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


@pytest.mark.parametrize("end", ["tomorrow", "2016-02-30", "2016-02-03T25:00", "ü"], ids=ascii)
def test_an_end_of_the_window_that_is_no_time_is_named(context, end):
    with pytest.raises(ValueError, match=r"window_end is .*, which is no time in ISO 8601"):
        check(window_end=end).execute(context)


@pytest.mark.parametrize("end", [None, "", "2016-02-03", "2016-02-03T00:00:00+14:00"])
def test_a_window_that_has_ended_or_has_no_end_is_counted(context, end):
    assert check(window_end=end).execute(context)["verdict"] == "ok"


def test_a_result_that_cannot_be_pushed_silences_nobody(context, mails, alerts, monkeypatch):
    def fail(**pushed):
        raise OSError("no XCom")

    monkeypatch.setattr(context["ti"], "xcom_push", fail, raising=False)
    assert lossy(on_discrepancy="alert").execute(context)["verdict"] == "high discrepancies"
    assert (len(mails), len(alerts.slack())) == (1, 1)
