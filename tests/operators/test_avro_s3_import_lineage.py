from __future__ import annotations

import pytest

from airflow_agari_provider.operators.avro_s3_import_lineage import folders_of
from tests.avro.scored_messages import messages
from tests.operators.avro_imports import CONTEXT, operator

NAMESPACES = {"sqlite": "sqlite:///", "postgres": "postgres://", "mysql": "mysql://"}


def test_a_folder_is_one_dataset_however_many_objects_it_holds():
    urls = ["s3://agari/h5/2.avro", "s3://agari/3.avro", "s3://agari/h5/1.avro"]
    assert folders_of(urls) == ["s3://agari", "s3://agari/h5"]


def test_openlineage_is_told_what_was_read_and_written(sql_conn_id, s3, bucket, request):
    """... by the provider's own extractor."""
    base = pytest.importorskip("airflow.providers.openlineage.extractors.base")
    for key in ("h5/1.avro", "h5/2.avro", "3.avro"):
        s3.put_object(Bucket=bucket, Key=key, Body=messages(10, first=int(key[-6]) * 10))
    task = operator(s3_url="s3://agari/")
    figures = task.execute(CONTEXT)
    lineage = base.DefaultExtractor(task).extract_on_complete(task_instance=None)
    assert [(one.namespace, one.name) for one in lineage.inputs] == [("s3://agari", "/"), ("s3://agari", "h5")]
    (table,) = lineage.outputs
    assert table.namespace.startswith(NAMESPACES[request.node.callspec.params["sql_conn_id"]])
    assert table.name.endswith("scored")
    statistics = table.outputFacets["outputStatistics"]
    assert (statistics.rowCount, statistics.size) == (30, figures["bytes"])
    task.execute(CONTEXT)  # nothing new
    assert base.DefaultExtractor(task).extract_on_complete(task_instance=None) is None
