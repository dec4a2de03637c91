"""Facts are read from a dict as from an object; one that cannot be read hides no other."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from airflow_agari_provider.alerts.context_facts import moment, told, told_moment, told_run

LOGICAL = datetime(2016, 2, 26, 18, tzinfo=UTC)
FACTS = {"dag_id": "scoring", "run_id": "r1", "run_after": "2016-02-26T18:00:00Z"}
shapes = pytest.mark.parametrize("shape", [dict, lambda **facts: SimpleNamespace(**facts)], ids=["dict", "object"])


class Odd:
    """A thing of a coming Airflow, one of whose facts cannot be read."""

    run_id = "r1"

    @property
    def dag_id(self):
        raise RuntimeError("not loaded")


def test_a_moment_is_read_from_text_and_kept_as_it_is():
    assert moment("2016-02-26T18:00:00Z") == moment(LOGICAL) == moment("2016-02-26T18:00:00") == LOGICAL


@shapes
def test_the_first_fact_that_is_told_counts(shape):
    run = shape(**FACTS, logical_date=None)
    assert told(run, "logical_date", "run_id") == "r1"
    assert told(run, "no_such_fact") is None
    assert told_moment(run, "logical_date", "run_after") == LOGICAL


def test_a_fact_that_cannot_be_read_hides_no_other(caplog):
    assert told(Odd(), "dag_id", "run_id") == "r1"
    assert "'dag_id' cannot be read" in caplog.text


def test_a_time_of_another_form_is_passed_over(caplog):
    assert told_moment({"logical_date": "soon", "run_after": LOGICAL}, "logical_date", "run_after") == LOGICAL
    assert "'logical_date' is no time: 'soon'" in caplog.text


@shapes
@pytest.mark.parametrize(
    "place",
    [
        lambda shape: {"ti": shape(**FACTS)},
        lambda shape: {"dag_run": shape(**FACTS)},
        lambda shape: {"dag": shape(dag_id="scoring"), "run_id": "r1"},
        lambda shape: {"dag_run": shape(dag_run_id="r1", dag_id="scoring")},
    ],
    ids=["task instance", "run", "DAG and run id", "run of the API"],
)
def test_a_run_is_named_wherever_the_context_has_it(shape, place):
    assert told_run(place(shape)) == told_run(shape(**place(shape))) == ("scoring", "r1")


def test_a_context_without_facts_names_nothing():
    assert told_run(None) == told_run({}) == ("", "")
    assert told_run({}, "known") == ("known", "")
