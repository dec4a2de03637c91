"""An import into the table ``scored`` of the connection ``target``, and the context of its task run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from airflow_agari_provider.operators.avro_s3_import import AvroS3ImportOperator

CONTEXT: Any = {"ti": SimpleNamespace(dag_id="ep_telemetry_v2", run_id="hourly__05", task_id="import", map_index=-1)}


def operator(**arguments: Any) -> AvroS3ImportOperator:
    return AvroS3ImportOperator(
        **{"task_id": "import", "table": "scored", "sql_conn_id": "target", "aws_conn_id": None, "create_table": True}
        | arguments
    )
