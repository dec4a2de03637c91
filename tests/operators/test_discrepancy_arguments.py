"""What is wrong with the arguments of a check is said when the DAG is parsed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_agari_provider.operators.discrepancy_check import Comparison, Stage
from tests.operators.discrepancy_checks import check


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


@pytest.mark.parametrize("wait", [timedelta(seconds=-1), "PT5M", 5.0, True], ids=repr)
@pytest.mark.parametrize("name", ["recheck_after", "grace"])
def test_a_time_is_a_timedelta_that_goes_forward(name, wait):
    with pytest.raises(ValueError, match=f"{name} is a timedelta, not "):
        check(**{name: wait})


def test_without_a_recheck_there_is_none_and_grace_is_never_unknown():
    check(recheck_after=None, grace=timedelta(0))
    with pytest.raises(ValueError, match="grace is a timedelta, not None"):
        check(grace=None)


@pytest.mark.parametrize("runs", [0, -1, 1.5, float("nan"), True, None], ids=repr)
def test_a_number_of_runs_is_a_whole_one(runs):
    with pytest.raises(ValueError, match="history_runs is a whole number of runs, 1 or more"):
        check(history_runs=runs)


def test_two_stages_of_one_name_are_refused():
    with pytest.raises(ValueError, match="Agg"):
        check(stages=[Stage("Agg", counts={}), Stage("Agg", counts={})])
