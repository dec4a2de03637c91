"""Link from a scoring task to its cluster in the AWS console."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from airflow_agari_provider.airflow_compat import BaseOperatorLink, XCom

logger = logging.getLogger(__name__)

LINK_KEY = "emr_step_url"


class EmrStepLink(BaseOperatorLink):
    """Link to the cluster that runs the task's Spark job; stored as soon as the job is submitted."""

    name = "EMR cluster"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return str(XCom.get_value(key=LINK_KEY, ti_key=ti_key) or "")


def store_link(ti: Any, url: Callable[[], str]) -> None:
    """Store a job's link if that is possible: nothing that only helps a person may fail a task whose job runs."""
    try:
        ti.xcom_push(key=LINK_KEY, value=url())
    except Exception as error:  # noqa: BLE001 - of an XCom backend, an API server, a database or a connection
        logger.warning("The link to the job's page is not stored: %s", error)
