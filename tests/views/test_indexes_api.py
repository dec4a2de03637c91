"""The indexes of a mapped task on real databases. Times are seconds after ``EPOCH``."""

from __future__ import annotations

import pytest

from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views import indexes_api
from airflow_agari_provider.views.parameters import indexes_question
from tests.views.metadata_rows import EPOCH
from tests.views.queries.histories import AIRFLOW_2, NOW, Rows

LOAD = [("run_id", "r"), ("task_id", "load")]


def ask(metadata, dag_id, *, question=LOAD):
    return indexes_api.task_indexes(metadata.session, dag_id, indexes_question(question), EPOCH + NOW)


def shown(answer, *names):
    return list(zip(*(answer["indexes"][name] for name in names), strict=True))


def test_each_index_has_its_label_its_tries_and_its_time_the_slowest_first(metadata, dag_id):
    metadata.dag(dag_id, [{"task_id": "load", "_is_mapped": True}])
    metadata.run(dag_id, "r", 0, "failed")
    rows = Rows(metadata, dag_id)
    rows.now("load", 1, "success", scheduled=0, queued=0, start=2, end=62, map_index=0, rendered_map_index="acme")
    rows.old("load", 1, "failed", scheduled=0, queued=0, start=2, end=12, map_index=1)
    rows.now("load", 2, "success", scheduled=20, queued=20, start=25, end=30, map_index=1)
    rows.now("load", 1, "failed", scheduled=0, queued=0, start=2, end=5, map_index=2)
    rows.now("load", 1, "running", scheduled=0, queued=0, start=NOW - 100, map_index=3)
    rows.now("load", 0, None, map_index=4)
    rows.now("other", 1, "success", start=1, end=2)
    answer = ask(metadata, dag_id)
    assert (answer["total"], answer["failed"], answer["retried"]) == (4, 1, 1)
    assert shown(answer, "map_index", "label", "outcome", "tries", "failed_tries") == [
        (2, None, "failed_first", 1, 1),
        (1, None, "success", 2, 1),
        (3, None, "running", 1, 0),
        (0, "acme", "success", 1, 0),
    ]
    assert shown(answer, "run_seconds", "lost_seconds", "waited_seconds") == [
        (3, 3, 2),
        (15, 10, 15),
        (100, 0, 4900),
        (60, 0, 2),
    ]
    assert (answer["median_seconds"], sum(answer["histogram"]["indexes"])) == (37.5, 4)


def test_time_in_the_triggerer_is_waiting_or_unknown(metadata, dag_id):
    metadata.dag(dag_id, [{"task_id": "load", "_is_mapped": True}])
    metadata.run(dag_id, "r", 0)
    rows = Rows(metadata, dag_id)
    rows.now("load", 1, "success", scheduled=99, queued=99, start=10, end=110, map_index=0)
    for when, event in ((10, "running"), (20, "deferred"), (100, "running")):
        if not (AIRFLOW_2 and event == "deferred"):
            metadata.event(dag_id, "r", "load", 1, event, when, map_index=0)
    known = [(100, None)] if AIRFLOW_2 else [(20, None)]  # how long it was queued the second time is not known
    assert shown(ask(metadata, dag_id), "run_seconds", "waited_seconds") == known


def test_of_very_many_indexes_those_that_failed_or_were_retried_are_not_left_out(metadata, dag_id, monkeypatch):
    monkeypatch.setattr(indexes_api, "MOST_INDEXES", 3)
    metadata.dag(dag_id)
    metadata.run(dag_id, "r", 0)
    rows = Rows(metadata, dag_id)
    for index in range(5):
        rows.now("load", 1, "success", start=0, end=100 + index, map_index=index)
    rows.now("load", 1, "failed", start=0, end=1, map_index=5)
    rows.old("load", 1, "failed", start=0, end=1, map_index=6)
    rows.now("load", 2, "success", scheduled=2, queued=2, start=2, end=3, map_index=6)
    answer = ask(metadata, dag_id)
    assert answer["indexes"]["map_index"] == [5, 6, 4]
    assert answer["total"] == 7


def test_what_is_not_there_has_no_indexes(metadata, dag_id):
    metadata.dag(dag_id)
    answer = ask(metadata, dag_id)
    assert (answer["total"], answer["indexes"]["map_index"], answer["median_seconds"]) == (0, [], None)


@pytest.mark.parametrize("missing", ["run_id", "task_id"])
def test_run_and_task_are_required(missing):
    with pytest.raises(BadQuestion, match=f"Give {missing}: the answer is about one task in one run."):
        indexes_question([one for one in LOAD if one[0] != missing])
