"""An SLA as the argument of a deadline's callback: small, and whole again when Airflow has told the run's tasks."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airflow_agari_provider.alerts.miss import TaskInState
from airflow_agari_provider.alerts.sla import Run, Watch
from airflow_agari_provider.alerts.sla_payload import from_row, payload, row_payload, unpacked

ALERT = {
    "after": 0.0,
    "notifier": {
        "path": "airflow_agari_provider.notifications.slack_sla_miss:SlackSlaMissNotifier",
        "arguments": {"slack_conn_id": "slack_api", "channel": "C012AB3CD"},
    },
    "recovery": None,
    "fallback": {"path": "airflow.providers.smtp.notifications.smtp:SmtpNotifier", "arguments": {"to": "ada"}},
}
WATCH = Watch(
    task_id="load",
    sla=1800.0,
    alerts=[ALERT],
    dag_id="telemetry",
    claims="sql:claims",
    environment="EP_STAGE",
    silent_for=["backfill"],
    owner="telemetry",
    upstream=["extract", "load"],
    reported_later=[None],
    reported_earlier=["extract"],
)
IDS = ["aside", "extract", "load"]


def tasks(*ids):
    return [TaskInState(task_id, "running") for task_id in ids]


def travelled(watch, ids, answer):
    return unpacked(Watch.from_json(payload(watch, ids)), tasks(*answer))


def test_an_sla_is_whole_again_when_airflow_has_told_the_tasks():
    again, found = travelled(WATCH, IDS, IDS)
    assert replace(again, packed={}) == WATCH
    assert found == tasks(*IDS)


def test_a_stored_payload_is_read_for_ever():
    """Airflow keeps it with the DAG and its runs, also over an update of this package."""
    stored = (
        "1:L)MX#pO^yE1&cZCx@Z%j*kdQLAX5o7A`Oikos6Ab(Br2hH77MUwFFq0p+yvwgC1S30r9~hj_$5RMH{l=m=Tv~lxS(5XkvsOfw?7a1_lN`=0"
        "-l)qq4}Y1SlV5X=H~hQgcgOfhsJG4XT0O1po"
    )
    again, _ = unpacked(Watch.from_json(stored), tasks(*IDS))
    assert replace(again, packed={}) == replace(WATCH, alerts=[ALERT | {"fallback": None}])


def test_of_a_run_with_other_tasks_the_sets_stay_unknown():
    again, _ = travelled(WATCH, IDS, ["extract", "load"])
    assert (again.upstream, again.reported_later, again.reported_earlier) == (None, [], [])


@pytest.mark.parametrize(
    ("mapped", "ids", "answer", "found"),
    [
        (["grp.load"], ["grp.load"], ["grp.load_0", "grp.load_12"], [("grp.load", 0), ("grp.load", 12)]),
        (["grp.load"], ["grp.load"], ["grp.load"], [("grp.load", -1)]),
        ([], ["load_0", "load_1"], ["load_0", "load_1"], [("load_0", -1), ("load_1", -1)]),
        ([], ["load_001", "load_002"], ["load_001", "load_002"], [("load_001", -1), ("load_002", -1)]),
        (
            [],
            ["load", "load_0", "load_1"],
            ["load", "load_0", "load_1"],
            [("load", -1), ("load_0", -1), ("load_1", -1)],
        ),
        (["load"], ["load", "load_3"], ["load_0", "load_1", "load_3"], [("load", 0), ("load", 1), ("load_3", -1)]),
    ],
    ids=["indexes", "none yet", "a family", "from one on", "beside a task", "a lookalike"],
)
def test_indexes_of_mapped_tasks_are_told_from_tasks_of_such_names(mapped, ids, answer, found):
    lookalikes = [name for name in ids if name == "load_3"]
    watch = replace(WATCH, task_id=None, upstream=None, mapped=mapped, lookalikes=lookalikes)
    _, known = travelled(watch, ids, answer)
    assert [(task.task_id, task.map_index) for task in known] == found


def test_the_late_task_s_own_indexes_are_known_in_any_case():
    assert Watch.from_json(payload(replace(WATCH, mapped=["load", "extract"]), IDS)).mapped == ["load"]


def test_the_row_of_a_claim_has_all_that_a_later_process_needs():
    run = Run("telemetry", "scheduled__2016-02-26", datetime(2016, 2, 26, 18, tzinfo=UTC), "manual")
    watch = replace(WATCH, mapped=["extract", "load"], alerts=[ALERT, ALERT | {"after": 900.0}])
    sla, again = from_row(row_payload(watch, run, ALERT))
    assert again == run
    assert sla == replace(watch, mapped=["load"], alerts=[ALERT], upstream=None, reported_later=[], reported_earlier=[])


def test_what_looks_like_an_index_of_the_late_task_is_known_in_any_case():
    others = [f"other_{number:03}" for number in range(100)]
    watch = replace(WATCH, mapped=["load", "other"], lookalikes=["load_3", *others])
    assert Watch.from_json(payload(watch, [*IDS, *watch.lookalikes])).lookalikes == ["load_3"]


def test_sets_that_cannot_be_written_short_are_left_out():
    ids = [f"task_{number:04}" for number in range(3000)]
    upstream = random.Random(1).sample(ids, 1500)
    again, _ = travelled(replace(WATCH, upstream=upstream), ids, ids)
    assert again.upstream is None
    assert len(payload(replace(WATCH, upstream=upstream), ids)) < 700
