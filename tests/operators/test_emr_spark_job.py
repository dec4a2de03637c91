"""The operator's arguments as a Spark job; ``test_emr_spark_scoring.py`` runs it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException
from airflow_agari_provider.operators.emr_spark_job import spark_job
from airflow_agari_provider.scoring.job_owner import OWNER_PROPERTY, read_owner
from tests.scoring.one_task_run import RUN

ARGUMENTS = {
    "script": "s3://agari/score.py",
    "arguments": ["--hour", 5, 1.5, None, True, "ü\n"],
    "spark_conf": {"spark.x": 1},
    "jars": [],
    "py_files": ("s3://agari/b.py",),
    "avro": True,
    "main_class": None,
    "script_prefix": None,
    "counts_url": None,
    "cancel_on_kill": True,
}


def job_of(map_index=-1, **changed):
    ti = SimpleNamespace(dag_id="telemetry", task_id="score", run_id="hour_5", map_index=map_index)
    return spark_job(SimpleNamespace(**{**ARGUMENTS, **changed}), ti, RUN, lambda: None)


def test_arguments_are_texts_and_the_job_names_its_task():
    job = job_of()
    assert (job.name, job.script, job.main_class) == ("telemetry.score hour_5", "s3://agari/score.py", "")
    assert job.arguments == ("--hour", "5", "1.5", "None", "True", "ü\n")
    assert (job.jars, job.py_files) == ((), ("s3://agari/b.py",))
    assert job_of(map_index=0).name == "telemetry.score hour_5 [0]"


@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_the_job_carries_its_owner_and_nobody_else_s(cancel_on_kill):
    conf = {"spark.x": 1, OWNER_PROPERTY: "somebody/else"}
    job = job_of(spark_conf=conf, cancel_on_kill=cancel_on_kill)
    owner = read_owner(job.spark_conf[OWNER_PROPERTY], RUN.token)
    assert (owner.task_id, owner.cancel_on_kill, job.spark_conf["spark.x"]) == ("score", cancel_on_kill, 1)
    assert conf[OWNER_PROPERTY] == "somebody/else"
    assert read_owner(job.spark_conf[OWNER_PROPERTY], replace(RUN, generation=1).token) is None


@pytest.mark.parametrize("name", ["arguments", "jars", "py_files"])
def test_one_text_in_place_of_a_list_is_named(name):
    with pytest.raises(TypeError, match=f"{name} must be a list of strings, not one string: '--hour'"):
        job_of(**{name: "--hour"})


@pytest.mark.parametrize("url", ["agari/counts", "s3:/agari/counts", "https://agari/counts"])
def test_a_url_of_counts_that_is_none_is_found_before_the_job_runs(url):
    with pytest.raises(ValueError, match="s3://"):
        job_of(counts_url=url)


@pytest.mark.parametrize("changed", [{"script": "score.py"}, {"py_files": ["b.py"]}, {"jars": ["a.jar"]}])
def test_a_local_file_without_a_place_to_upload_it_to_is_not_retried(changed):
    with pytest.raises(AirflowFailException, match="is a local file, which the cluster cannot read"):
        job_of(**changed)
