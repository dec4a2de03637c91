"""Answers of the discrepancies' server: what it makes of stored runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_agari_provider.discrepancy.history_reading import CheckRun, RecordedRuns
from airflow_agari_provider.discrepancy.stored_run import StoredRun
from airflow_agari_provider.views.discrepancies_api import Checks, checks_answer, runs_answer
from airflow_agari_provider.views.discrepancies_question import ChecksQuestion
from tests.discrepancy.recorded_runs import CHECKED, a_few_days, bad_run, stored_run

NOW = CHECKED + 1800
DAG, TASK = "message_scoring", "report.send_report"
THREE = {
    (DAG, TASK): a_few_days(),
    ("reload_data", "send_report"): [stored_run(1, 2), stored_run(2, 2)],
    ("rebuild", "check[3]"): [bad_run(1, 2), stored_run(2, 2)],
    ("payroll", "check"): [stored_run(1)],
}


def checks_payload(
    runs: Mapping[tuple[str, str], Sequence[StoredRun]] = THREE, *, note: str = "", **question: Any
) -> dict[str, Any]:
    asked = ChecksQuestion(**{"days": 30, "until": None, "problems": False, "dag_ids": (), **question})
    found = [CheckRun(*check, run) for check, of in runs.items() for run in reversed(of)]
    permitted = {dag for dag, _ in runs} - {"payroll"}
    return {"now": NOW, **checks_answer(Checks(found, True, note), asked, permitted, NOW)}


def runs_payload(runs: Sequence[StoredRun] | None = None, **question: Any) -> dict[str, Any]:
    asked = ChecksQuestion(
        **{"days": 30, "until": None, "problems": False, "dag_ids": (DAG,), "task": TASK, **question}
    )
    return {"now": NOW, **runs_answer(RecordedRuns(a_few_days() if runs is None else runs, True), asked, NOW)}
