from __future__ import annotations

import logging

import pytest

from airflow_agari_provider.scoring.driver_memory import drivers_too_large, mebibytes, runs_beside_others
from airflow_agari_provider.scoring.jobs import SparkJob


def job(**conf):
    return SparkJob(
        "score", "s3://agari/score.py", spark_conf={f"spark.{name.replace('_', '.')}": conf[name] for name in conf}
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4g", 4096),
        ("512m", 512),
        ("2G", 2048),
        ("1gb", 1024),
        ("1024", 1024),
        ("2048k", 2),
        ("1t", 1024**2),
        ("4 g", 4096),
    ],
)
def test_a_size_in_spark_s_notation_is_read(text, size):
    assert mebibytes(text) == size


@pytest.mark.parametrize("text", ["", "much", "1.5g", "-1g", "{{ memory }}"])
def test_what_is_no_size_is_none(text):
    assert mebibytes(text) is None


@pytest.mark.parametrize(
    ("memory", "steps", "warned"),
    [("4g", 4, False), ("4g", 5, True), ("much", 99, False)],
)
def test_it_warns_only_if_the_drivers_of_all_steps_do_not_fit(memory, steps, warned):
    told = drivers_too_large(
        job(driver_memory=memory) if memory else job(),
        {"Id": "j-1", "StepConcurrencyLevel": steps},
        "m6g.xlarge",
        16384,
    )
    assert bool(told) is warned
    if told:
        assert told.startswith(f"EMR cluster j-1 runs {steps} steps at once")


@pytest.mark.parametrize(
    ("conf", "steps", "shared"),
    [({}, 2, True), ({}, 1, False), ({}, None, False), ({"spark.submit.deployMode": "cluster"}, 2, False)],
)
def test_only_drivers_on_the_primary_node_of_a_cluster_with_several_steps_are_looked_at(conf, steps, shared):
    cluster = {"Id": "j-1", "StepConcurrencyLevel": steps}
    assert runs_beside_others(SparkJob("score", "s3://agari/score.py", spark_conf=conf), cluster) is shared


@pytest.mark.parametrize("memory", ["900g", "1g"])
def test_a_submission_tells_once_that_the_drivers_are_too_large(emr_world, jobs, caplog, memory):
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            jobs.submit(job(driver_memory=memory), "t" * 32)
    assert caplog.text.count("drivers may be killed") == (memory == "900g")


def test_a_submission_is_not_failed_by_a_node_whose_memory_is_not_known(emr_world, jobs, caplog):
    emr_world.fail("list_instance_groups")
    jobs.submit(job(driver_memory="900g"), "t" * 32)
    assert (emr_world.states, "drivers may be killed" in caplog.text) == (["PENDING"], False)
