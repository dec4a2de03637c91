"""What an import read and wrote, for OpenLineage: S3 folders or a stream, and a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow_agari_provider.airflow_compat import BaseHook
from airflow_agari_provider.s3.urls import split_url

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


def folders_of(urls: Iterable[str]) -> list[str]:
    """Return the folders of objects, each once. With a dataset for each object, there would be thousands."""
    return sorted({url.rpartition("/")[0] for url in urls})


def dataset_of(folder: str) -> tuple[str, str]:
    """Return namespace and name of a folder, by OpenLineage's naming rules."""
    bucket, key = split_url(f"{folder}/")
    return f"s3://{bucket}", key.rstrip("/") or "/"


def import_lineage(
    read: Iterable[tuple[str, str]], table: str, sql_conn_id: str, figures: Mapping[str, Any]
) -> OperatorLineage:
    """
    Return the datasets that were read and written, by OpenLineage's naming rules, and how much was written.

    :param read: namespace and name of what was read.
    :param figures: result of the import.
    """
    from airflow.providers.common.compat.openlineage.facet import (
        Dataset,
        OutputDataset,
        OutputStatisticsOutputDatasetFacet,
    )
    from airflow.providers.openlineage.extractors import OperatorLineage

    namespace, name = _table_name(table, sql_conn_id)
    statistics = OutputStatisticsOutputDatasetFacet(rowCount=figures["rows"], size=figures["bytes"])
    return OperatorLineage(
        inputs=[Dataset(namespace=source, name=name) for source, name in read],
        outputs=[OutputDataset(namespace=namespace, name=name, outputFacets={"outputStatistics": statistics})],
    )


def _table_name(table: str, sql_conn_id: str) -> tuple[str, str]:
    """Return (namespace, name) of the table; from its connection if OpenLineage does not know the database."""
    connection = BaseHook.get_connection(sql_conn_id)
    hook = connection.get_hook()
    database = hook.get_openlineage_database_info(connection)
    if database is None:
        return f"{connection.conn_type}://{connection.host or ''}", table
    schema = None if "." in table else hook.get_openlineage_default_schema()
    parts = [database.database or connection.schema, schema, table]
    return f"{database.scheme}://{database.authority}", ".".join(part for part in parts if part)
