"""
One side of the import's benchmark, in a process of its own: ``python -m tests.benchmarks.import_side <side> <key>``.

The last line is one JSON object: the seconds of ``execute``, those of the processor in it, and the most memory that the
process had, in MiB.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

BUCKET, TABLE, WARM_TABLE, WARM_KEY = "bench", "emails", "emails_warm", "warm.avro"
INSERTS = "_inserts"  # end of a side that loads without the files that a client sends
CONTEXT: Any = {"ti": SimpleNamespace(dag_id="bench", run_id="bench", task_id="import", map_index=-1)}


def parsed(path: str) -> Iterator[tuple[Any, ...]]:
    """Rows as S3ToSqlOperator's ``parser`` gives them: what a user of it writes for Avro."""
    import fastavro

    nested = {"recipients", "headers", "geo"}
    with open(path, "rb") as file:  # noqa: PTH123 - as in its documentation
        for record in fastavro.reader(file):
            yield tuple(json.dumps(value) if name in nested else value for name, value in record.items())


def s3_to_sql(key: str, table: str) -> Any:
    from airflow.providers.amazon.aws.transfers.s3_to_sql import S3ToSqlOperator

    from tests.benchmarks.email_records import FIELDS

    return S3ToSqlOperator(
        task_id="import", s3_bucket=BUCKET, s3_key=key, table=table, column_list=list(FIELDS), parser=parsed,
        sql_conn_id="bench", aws_conn_id=None,
    )  # fmt: skip


def ours(side: str, key: str, table: str) -> Any:
    from airflow_agari_provider.operators.avro_s3_import import AvroS3ImportOperator

    decoder: Any = side.removesuffix(INSERTS)
    files = "BENCH_LOCAL_FILES" in os.environ and not side.endswith(INSERTS)
    return AvroS3ImportOperator(
        task_id="import", s3_url=f"s3://{BUCKET}/{key}", table=table, decoder=decoder, create_table=True,
        sql_conn_id="bench", aws_conn_id=None, hook_params={"local_infile": True} if files else None,
    )  # fmt: skip


def operator(side: str, key: str, table: str) -> Any:
    return s3_to_sql(key, table) if side == "s3tosql" else ours(side, key, table)


def main(side: str, key: str) -> None:
    """
    :param side: ``s3tosql``, ``fastavro``, ``arrow``, ``arrow_inserts`` or ``idle``: a process like the others
        before it loads the object.
    """
    operator("fastavro" if side == "idle" else side, WARM_KEY, WARM_TABLE)
    seconds = cpu_seconds = 0.0
    if side == "idle":
        s3_to_sql(WARM_KEY, WARM_TABLE).db_hook.get_conn().close()
        import boto3

        boto3.client("s3").head_bucket(Bucket=BUCKET)
    else:
        operator(side, WARM_KEY, WARM_TABLE).execute(CONTEXT)  # imports, connections, caches
        task = operator(side, key, TABLE)
        start, cpu_start = time.perf_counter(), time.process_time()
        task.execute(CONTEXT)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib()}))


def peak_mib() -> float:
    """The most memory of this process; ``ru_maxrss`` would also be that of the process which started it."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
