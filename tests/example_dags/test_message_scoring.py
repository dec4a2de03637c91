"""The hourly example DAG: its documented steps, the day's model, the SLAs."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


@pytest.fixture
def module(load_dag):
    return load_dag("message_scoring")


def test_every_step_has_its_number_in_its_doc(module):
    docs = " ".join(task.doc_md or task.python_callable.__doc__ for task in module.dag.tasks)
    for step in ("0", "1", "1a", "1b", "2", "2a", "3", "4", "5", "6", "7", "8"):
        assert f"**{step}.**" in docs, step


def test_nothing_is_scored_before_it_is_archived_and_modelled(module):
    upstream = module.dag.get_task("score.score_messages").get_flat_relative_ids(upstream=True)
    assert {"prepare.archive_uploads", "score.build_trust_model", "prepare.delete_window"} <= upstream


def test_the_report_waits_for_all_that_it_takes(module):
    upstream = module.dag.get_task("report.send_report").get_flat_relative_ids(upstream=True)
    assert {"prepare.get_active_org_ids", "load.count_sending_domains", "load.wait_for_queue_to_drain"} <= upstream


def told(dag):
    """Task with an SLA -> its seconds, and who is told."""
    watches = [callback.watch for task in dag.tasks for callback in task.on_success_callback or []]
    return {
        watch.task_id: (watch.sla, [alert["notifier"]["path"].rpartition(":")[2] for alert in watch.alerts])
        for watch in watches
    }


def test_a_deployment_without_victorops_has_slas_that_tell_slack(module):
    assert told(module.dag) == {
        "score.score_messages": (2700, ["SlackSlaMissNotifier"]),
        "report.send_report": (4500, ["SlackSlaMissNotifier"]),
    }
    assert {
        module.dag.get_task(f"report.{name}").victorops_conn_id for name in ("send_report", "report_dead_letters")
    } == {None}


def test_the_environment_names_the_connection_of_victorops_and_the_time_for_the_scoring(load_dag, monkeypatch):
    monkeypatch.setenv("MESSAGE_SCORING_VICTOROPS", "on_call")
    monkeypatch.setenv("MESSAGE_SCORING_SCORED_WITHIN", "30")
    dag = load_dag("message_scoring").dag
    both = ["SlackSlaMissNotifier", "VictorOpsSlaMissNotifier"]
    assert told(dag) == {"score.score_messages": (30, both), "report.send_report": (4500, both)}
    assert dag.get_task("report.send_report").victorops_conn_id == "on_call"
    assert dag.get_task("report.report_dead_letters").victorops_conn_id == "on_call"


@pytest.mark.parametrize(("name", "pool"), [(None, "default_pool"), ("scoring", "scoring")], ids=["unset", "set"])
def test_the_environment_names_the_pool_of_every_task(load_dag, monkeypatch, name, pool):
    if name:
        monkeypatch.setenv("MESSAGE_SCORING_POOL", name)
    assert {task.pool for task in load_dag("message_scoring").dag.tasks} == {pool}


class TaskInstance(SimpleNamespace):
    run_id, max_tries = "scheduled__2016-04-28T06:00:00+00:00", 2

    def xcom_push(self, key, value):
        self.pushed = {key: value}


PARAMS = {
    "window_start": "2016-04-28T05:00:00Z",
    "window_hours": 1,
    "organisations": [],
    "messages_bucket": "agari",
    "row_check_hours": None,
}


def chosen_model(module):
    ti = TaskInstance()
    return module.choose_model.function(params=PARAMS, dag_run=None, ti=ti), ti.pushed["model"]


def test_a_day_without_a_model_has_one_built_in_a_folder_of_the_run(module, s3, bucket, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    s3.put_object(Bucket=bucket, Key="models/dt=2016-04-28/another/0/part-0.avro", Body=b"not complete yet")
    s3.put_object(Bucket=bucket, Key="models/dt=2016-04-27/run/0/_SUCCESS", Body=b"")
    assert chosen_model(module) == (
        "score.build_trust_model",
        "s3://agari/models/runs/2016-04-28T05_1h/scheduled__2016-04-28T060000_0000/2/",
    )


def test_the_day_s_newest_complete_model_is_used_without_a_spark_job(module, s3, bucket, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", "aws://")
    for folder in ("b/0", "a/1"):
        s3.put_object(Bucket=bucket, Key=f"models/dt=2016-04-28/{folder}/part-0.avro", Body=b"a model")
    s3.put_object(Bucket=bucket, Key="models/dt=2016-04-28/b/0/_SUCCESS", Body=b"")
    assert chosen_model(module) == ("score.score_messages", "s3://agari/models/dt=2016-04-28/b/0/")


def rendered(module, task_id, params, counts_url=None):
    """Fields of a task, rendered in a run whose scoring is done."""
    task = module.dag.get_task(task_id)
    xcoms = {
        ("score.choose_model", "model"): "s3://agari/models/dt=2016-04-28/b/0/",
        ("score.score_messages", "return_value"): {"counts": {"scored": {"5": 2}}, "counts_url": counts_url},
    }
    ti = SimpleNamespace(
        run_id=TaskInstance.run_id,
        max_tries=2,
        xcom_pull=lambda task_ids, key="return_value": xcoms[task_ids, key],
    )
    task.render_template_fields({"ti": ti, "params": {**PARAMS, **params}, "dag_run": None, "run_id": ti.run_id})
    return task


def test_the_files_of_a_window_lie_below_one_prefix_by_run_and_generation(module):
    task = rendered(module, "score.score_messages", {"history_days": 5, "cluster_name": "c"})
    options = dict(zip(task.arguments[::2], task.arguments[1::2], strict=True))
    place = "2016-04-28T05_1h/scheduled__2016-04-28T060000_0000/2/"
    assert options == {
        "--input": "s3://agari/archive/dt=2016-04-28/hour=05/",
        "--model": "s3://agari/models/dt=2016-04-28/b/0/",
        "--output": f"s3://agari/scored/{place}",
        "--summaries": f"s3://agari/summaries/{place}",
        "--counts": f"s3://agari/counts/{place}",
        "--window-start": "2016-04-28T05:00:00+00:00",
        "--window-end": "2016-04-28T06:00:00+00:00",
        "--organisations": "",
    }
    assert task.counts_url == f"s3://agari/counts/{place}"


def test_the_summaries_of_the_same_scoring_replace_the_window_s(module):
    counts_url = "s3://agari/counts/2016-04-28T05_1h/run/2/"
    task = rendered(module, "load.import_summaries", {"organisations": [7, 5, 7]}, counts_url)
    assert task.s3_url == "s3://agari/summaries/2016-04-28T05_1h/run/2/"
    assert task.replace_where == "hour >= '2016-04-28T05' AND hour < '2016-04-28T06' AND org_id IN (5, 7)"


@pytest.mark.parametrize(("hours", "first"), [(None, "2016-04-28T05"), (3, "2016-04-28T03")], ids=["window", "option"])
def test_the_check_for_new_rows_looks_at_the_window_or_at_the_hours_of_the_option(module, hours, first):
    task = rendered(module, "load.check_new_rows", {"row_check_hours": hours})
    assert task.sql == (f"SELECT COUNT(*) >= 1 FROM scored_messages WHERE hour >= '{first}' AND hour < '2016-04-28T06'")


def test_runs_that_share_the_queues_have_their_own_files_and_dead_letters(module):
    counts_url = "s3://agari/counts/2016-04-28T05_1h/run/2/"
    own = "s3://agari/scored/2016-04-28T05_1h/"
    queues = {"queue_url": "q", "dead_letter_queue_url": "d", "quiet_period": 3}
    for task_id in ("prepare.purge_dead_letters", "report.report_dead_letters"):
        assert rendered(module, task_id, queues).objects_below == own
    waiting = rendered(module, "load.wait_for_own_files", queues, counts_url)
    assert waiting.s3_url == f"{own}run/2/"
    downstream = waiting.get_flat_relative_ids(upstream=False)
    assert {"load.check_new_rows", "load.wait_for_queue_to_drain", "report.send_report"} <= downstream


def test_a_window_is_compared_only_with_its_like_as_the_demo_stores_them(module):
    from jinja2 import Environment

    from airflow_agari_provider.local.demo.weeks_before import SERIES

    series = Environment(autoescape=True).from_string(module.dag.get_task("report.send_report").series)
    assert series.render(params={"window_hours": 24, "organisations": []}) == SERIES
    assert series.render(params={"window_hours": 1, "organisations": [5]}) == "1 h of [5]"
