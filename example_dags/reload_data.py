"""
### Reload data

Load a window again from the scored files on S3, without Spark. Then check the counts as `message_scoring` does. Start
it by hand if rows were lost or damaged in the database.

| step | task | |
|---|---|---|
| 1 | `get_active_org_ids` | the organisations that the report must have a row for |
| | `find_scored` | find the newest complete scoring of the window, and check that its files are all there |
| 5 | `import_scored_messages`, `import_summaries` | replace the window's rows, each table in one transaction |
| 6 | `count_sending_domains` | check that the summaries are whole; count their sending domains (RDAs) for the report |
| 8 | `send_report` | send the correctness report by e-mail and alerts to Slack |

The window must have been scored with the same hours and organisations. Nothing is deleted unless its rows are replaced.

Connections: as for `message_scoring`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from scoring_pipeline import (
    AWS,
    BUCKET,
    BUCKET_PARAMS,
    DATABASE,
    DEFAULT_ARGS,
    MACROS,
    REPORT_PARAMS,
    TABLE,
    WINDOW,
    WINDOW_PARAMS,
    collected,
    correctness_report,
    count_sending_domains,
    get_active_org_ids,
    manifests,
    newest_complete,
    s3_client,
    scored_total,
    summaries_import,
    window_of,
)

from airflow_agari_provider.airflow_compat import DAG, AirflowFailException, Param, TaskGroup, task
from airflow_agari_provider.operators.avro_s3_import import AvroS3ImportOperator


@task
def find_scored(params: Any = None, dag_run: Any = None) -> dict[str, Any]:
    """
    **1.** Find the window's newest complete scoring. Return its places, its counts, and those of the collectors.

    The records of its files are counted before any row is replaced: the blocks of an Avro file say how many they have.
    """
    from airflow_agari_provider.avro.objects import count_records
    from airflow_agari_provider.s3.objects import objects_at
    from airflow_agari_provider.scoring.job_files import read_counts

    s3, bucket, window = s3_client(), params["messages_bucket"], window_of(dag_run, params)
    # The counts are the last that a scoring writes.
    found = newest_complete(s3, bucket, f"counts/{window.name}/")
    if found is None:
        raise AirflowFailException(
            f"s3://{bucket}/counts/{window.name}/ has no complete scoring of {window.text}, so there is nothing to "
            "load; no row was changed. Name a window as it was scored, or score it with message_scoring."
        )
    announced = manifests(s3, bucket, window)
    if len(announced) < len(window.hours()):
        raise AirflowFailException(
            f"s3://{bucket}/manifests/ announces {len(announced)} of the {len(window.hours())} hours of {window.text}, "
            "so it is not known how many messages there were; no row was changed. Bring the manifests back."
        )
    place = found.removeprefix("counts/")
    counts = read_counts(s3, f"s3://{bucket}/{found}")
    scored = sum(counts.get("scored", {}).values())
    files = objects_at(s3, f"s3://{bucket}/scored/{place}")
    records = sum(count_records(s3, file.bucket, file.key) for file in files)
    if records != scored:
        raise AirflowFailException(
            f"The {len(files)} files in s3://{bucket}/scored/{place} have {records} records, but {scored} messages "
            "were scored: files are missing, or were added. No row was changed. Score the window with message_scoring."
        )
    return {"place": place, "counts": counts, "collected": collected(announced, window)}


with DAG(
    dag_id="reload_data",
    description="Load a window again from the scored files on S3, without Spark, and check its counts",
    doc_md=__doc__,
    schedule=None,
    start_date=datetime(2016, 4, 28, tzinfo=UTC),
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    user_defined_macros=MACROS,
    tags=["agari", "example"],
    params={
        "window_start": Param(type="string", description="First hour, UTC, ISO 8601"),
        **WINDOW_PARAMS,
        **BUCKET_PARAMS,
        **REPORT_PARAMS,
    },
) as dag:
    FOUND = "ti.xcom_pull(task_ids='prepare.find_scored')"
    COUNTS = f"{FOUND}['counts']"
    PLACE = f"{{{{ {FOUND}['place'] }}}}"

    with TaskGroup("prepare", tooltip="1: what there is to load"):
        prepared = [get_active_org_ids(), find_scored()]

    with TaskGroup("load", tooltip="5 and 6: from S3 into the database"):
        scored = AvroS3ImportOperator(
            task_id="import_scored_messages",
            doc_md="**5.** Replace the window's rows, in one transaction.",
            table=TABLE,
            sql_conn_id=DATABASE,
            s3_url=f"{BUCKET}/scored/{PLACE}",
            mode="replace",
            replace_where=f"{{{{ {WINDOW}.sql }}}}",
            create_table=True,
            count_by="org_id",
            if_no_objects="ok",  # a window without messages
            aws_conn_id=AWS,
        )
        summaries = summaries_import(f"{BUCKET}/summaries/{PLACE}")
        domains = count_sending_domains(f"{{{{ {scored_total(COUNTS)} }}}}")

    with TaskGroup("report", tooltip="8: how many messages arrived"):
        report = correctness_report(f"{FOUND}['collected']", COUNTS)

    prepared >> scored
    prepared >> summaries >> domains
    [scored, domains] >> report
