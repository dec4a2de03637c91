"""Link from a scoring task to its cluster in the AWS console."""

from __future__ import annotations

from typing import Any

from airflow_agari_provider.airflow_compat import BaseOperatorLink, XCom

LINK_KEY = "emr_step_url"


class EmrStepLink(BaseOperatorLink):
    """Link to the cluster that runs the task's Spark job; stored as soon as the job is submitted."""

    name = "EMR cluster"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return str(XCom.get_value(key=LINK_KEY, ti_key=ti_key) or "")
