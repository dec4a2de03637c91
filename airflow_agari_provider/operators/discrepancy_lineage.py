"""What a discrepancy check measured, for OpenLineage (data-quality facets) and for Airflow's metrics (gauges)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseHook, Stats
from airflow_agari_provider.airflow_runs import task_name
from airflow_agari_provider.discrepancy.report import DiscrepancyReport
from airflow_agari_provider.s3.urls import split_url

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

logger = logging.getLogger(__name__)

VERDICTS = {"ok": 0, "warning": 1, "high discrepancies": 2}


def send_gauges(ti: Any, report: DiscrepancyReport) -> None:
    """
    Send the figures of a run to Airflow's metrics: each once with the names in tags, once in its own name.

    Keys are in none of them: there may be a million, and a customer's name does not belong there. Whatever a client of
    metrics raises, everybody is told of the run.
    """
    try:
        _send_gauges(ti, report)
    except Exception:
        logger.exception("The figures of this check could not be sent to Airflow's metrics")


def _send_gauges(ti: Any, report: DiscrepancyReport) -> None:
    table, tags = report.table, {"dag_id": ti.dag_id, "task_id": task_name(ti)}
    figures = {
        "verdict": VERDICTS[report.verdict],
        "keys": len(table.every_key),
        "discrepant": report.discrepant,
        "alarms": report.alarms or 0,
    }
    for name, figure in figures.items():
        Stats.gauge(f"agari.discrepancy.{name}", figure, tags=tags)
        Stats.gauge(f"agari.discrepancy.{ti.dag_id}.{task_name(ti)}.{name}", figure)
    for stage in table.counts:
        Stats.gauge("agari.discrepancy.messages", sum(table.column(stage)), tags={**tags, "stage": stage})
    for comparison in table.comparisons:
        difference = sum(table.differences(comparison))
        Stats.gauge("agari.discrepancy.difference", difference, tags={**tags, "comparison": comparison.name})


def check_lineage(stages: Sequence[Mapping[str, Any]], report: DiscrepancyReport, ti: Any) -> OperatorLineage:
    """
    Return each stage as a dataset that was read, with its number of messages and what was asserted of it.

    :param stages: as the user gave them.
    """
    from airflow.providers.common.compat.openlineage.facet import InputDataset
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.generated.data_quality_assertions_dataset import (
        Assertion,
        DataQualityAssertionsDatasetFacet,
    )
    from openlineage.client.generated.data_quality_metrics_input_dataset import DataQualityMetricsInputDatasetFacet

    assertions = _assertions(report)
    inputs = []
    for stage in stages:
        namespace, name = _dataset(stage, ti)
        total = sum(report.table.column(stage["name"]))
        said = [
            Assertion(assertion=text, success=success, column=report.table.key_name)
            for text, success in assertions.get(stage["name"], {}).items()
        ]
        facets: dict[str, Any] = {
            "dataQualityMetrics": DataQualityMetricsInputDatasetFacet(rowCount=total, columnMetrics={})
        }
        if said:
            facets["dataQualityAssertions"] = DataQualityAssertionsDatasetFacet(assertions=said)
        inputs.append(InputDataset(namespace=namespace, name=name, inputFacets=facets))
    return OperatorLineage(inputs=inputs)


def _assertions(report: DiscrepancyReport) -> dict[str, dict[str, bool]]:
    """Return what was asserted of each stage, and whether it holds: a warning is a test that failed as well."""
    found: dict[str, dict[str, bool]] = {stage: {} for stage in report.table.counts}
    failed = {finding.comparison for finding in report.findings}
    for comparison in report.table.comparisons:
        if comparison.judge != "nothing":
            text = f"{comparison.name}: {comparison.base} and {comparison.other} agree"
            found[comparison.other][text] = comparison.name not in failed
    first, *_ = report.table.counts
    for finding in report.findings:
        if finding.is_unusual or finding.scope in ("empty", "silent"):
            stage = finding.other if finding.other in found else first
            found[stage][f"{finding.comparison}: as usual" if finding.is_unusual else finding.scope] = False
    return found


def _dataset(stage: Mapping[str, Any], ti: Any) -> tuple[str, str]:
    """Return namespace and name of what a stage was read from, by OpenLineage's rules."""
    if stage["s3_url"] is not None:
        url = stage["s3_url"] if isinstance(stage["s3_url"], str) else next(iter(stage["s3_url"]))
        bucket, key = split_url(url)
        return f"s3://{bucket}", key.rstrip("/") or "/"
    if stage["conn_id"] is not None:
        connection = BaseHook.get_connection(stage["conn_id"])
        hook = connection.get_hook()
        database = hook.get_openlineage_database_info(connection)
        namespace = f"{connection.conn_type}://{connection.host or ''}"
        if database is not None:
            namespace = f"{database.scheme}://{database.authority}"
        tables = _tables(hook, str(stage["sql"]), database)
        return namespace, tables[0] if len(tables) == 1 else f"{connection.schema or ''}.{stage['name']}".lstrip(".")
    return "airflow", f"{ti.dag_id}.{task_name(ti)}.{stage['name']}"


def _tables(hook: Any, sql: str, database: Any) -> list[str]:
    """Return the tables that a query reads; none if it cannot be parsed."""
    from airflow.providers.openlineage.sqlparser import SQLParser

    try:
        schema = hook.get_openlineage_default_schema() if database is not None else None
        parsed = SQLParser(dialect=hook.get_openlineage_database_dialect(None), default_schema=schema).parse([sql])
    except Exception:  # noqa: BLE001 - of the parser, which is written in Rust; the name of the stage serves as well
        return []
    return [table.qualified_name for table in parsed.in_tables] if parsed else []
