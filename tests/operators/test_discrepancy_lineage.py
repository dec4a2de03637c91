"""What OpenLineage and Airflow's metrics are told of a check."""

from __future__ import annotations

import json

import pytest

from airflow_agari_provider.airflow_compat import AirflowFailException
from airflow_agari_provider.operators import discrepancy_lineage
from airflow_agari_provider.operators.discrepancy_check import Comparison, Stage
from tests.operators.discrepancy_checks import check, context_of_run


@pytest.mark.parametrize("stored", [10, 7], ids=["agreeing", "lost"])
def test_openlineage_is_told_counts_and_what_holds_of_each_stage(stored, sqlite_path, monkeypatch):
    """... by the provider's own extractor, also if the verdict has failed the task."""
    base = pytest.importorskip("airflow.providers.openlineage.extractors.base")
    monkeypatch.setenv("AIRFLOW_CONN_TARGET", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))
    context = context_of_run()
    task = check(
        stages=[
            Stage("Sent", counts={"5": 10}),
            Stage("DB", sql=f"SELECT '5', {stored} FROM sqlite_master UNION SELECT '5', {stored}", conn_id="target"),
            Stage("Shadow", call=lambda: {"5": 10}),
        ],
        comparisons=[Comparison("Lost", "Sent", "DB"), Comparison("New", "DB", "Shadow", judge="nothing")],
    )
    extractor = base.DefaultExtractor(task)
    assert extractor.extract_on_complete(context["ti"]) is None
    if stored == 10:
        task.execute(context)
        lineage = extractor.extract_on_complete(context["ti"])
    else:
        with pytest.raises(AirflowFailException):
            task.execute(context)
        lineage = extractor.extract_on_failure(context["ti"])
    names = [(one.namespace, one.name) for one in lineage.inputs]
    assert names[0] == ("airflow", "ep_telemetry_v2.check.Sent")
    assert names[1][0].startswith("sqlite:")
    assert names[1][1].endswith("sqlite_master")
    assert [one.inputFacets["dataQualityMetrics"].rowCount for one in lineage.inputs] == [10, stored, 10]
    (assertion,) = lineage.inputs[1].inputFacets["dataQualityAssertions"].assertions
    assert (assertion.assertion, assertion.success) == ("Lost: Sent and DB agree", stored == 10)
    assert ["dataQualityAssertions" in one.inputFacets for one in lineage.inputs] == [False, True, False]


def test_airflows_metrics_get_the_figures_of_a_run(monkeypatch):
    sent = {}

    class Metrics:
        @staticmethod
        def gauge(name, value, tags=None):
            sent[(name, *(tags or {}).values())] = value

    monkeypatch.setattr(discrepancy_lineage, "Stats", Metrics)
    stages = [Stage("Agg", counts={"5": 10, "7": 1}), Stage("DB", counts={"5": 7, "7": 1})]
    check(stages=stages, on_discrepancy="alert").execute(context_of_run())
    of_task = ("ep_telemetry_v2", "check")
    assert sent[("agari.discrepancy.verdict", *of_task)] == 2
    assert sent[("agari.discrepancy.ep_telemetry_v2.check.discrepant",)] == 1
    assert sent[("agari.discrepancy.messages", *of_task, "DB")] == 8
    assert sent[("agari.discrepancy.difference", *of_task, "Agg - DB")] == 3
