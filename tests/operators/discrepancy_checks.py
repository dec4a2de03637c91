"""Discrepancy checks of fixed counts, and the context of the task run that executes them."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

from airflow_agari_provider.operators.discrepancy_check import DiscrepancyCheckOperator, Stage

RUN = "ep_telemetry_v2 on etl-00.ep-old.prod.agari.com completed 2016-02-03 00:00:00"


class FakeTaskInstance(SimpleNamespace):
    """What Airflow hands to ``execute``, as far as the operator uses it."""

    def xcom_push(self, key, value):
        self.pushed[key] = value

    def xcom_pull(self, task_ids=None, **kwargs):
        return self.outputs[task_ids]


def context_of_run():
    ti = FakeTaskInstance(
        dag_id="ep_telemetry_v2",
        task_id="check",
        run_id="run",
        map_index=-1,
        try_number=1,
        hostname="etl-00.ep-old.prod.agari.com",
        log_url="http://airflow/log",
        outputs={},
        pushed={},
    )
    return {"ti": ti, "dag_run": SimpleNamespace(logical_date=datetime(2016, 2, 3, tzinfo=UTC)), "ds": "2016-02-03"}


def check(**arguments):
    return DiscrepancyCheckOperator(
        task_id="check", **{"stages": [Stage("Agg", counts={"5": 1}), Stage("DB", counts={"5": 1})], **arguments}
    )


def lossy(**arguments):
    return check(
        stages=[Stage("Agg", counts={"5": 9000, "7": 3}), Stage("DB", counts={5: 7796, 7: 3})],
        slack_conn_id="slack_hook",
        email_to="ops@example.com; dev@example.com",
        **arguments,
    )


def paging(stored=1, **arguments):
    stages = [Stage("Agg", counts={"5": 10}), Stage("DB", counts={"5": stored})]
    defaults = {"environment": "EP_STAGE", "on_discrepancy": "alert", "victorops_conn_id": "victorops"}
    return check(stages=stages, **{**defaults, **arguments})
