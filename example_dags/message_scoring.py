"""
### Message scoring

Every hour, give each e-mail of the hour a trust score and load it into the database of the web application. Then check
that no message was lost and that none was counted twice.

Each customer's collector writes messages as Avro files to S3. Spark on EMR scores them and writes Avro files. S3
notifies SNS, SNS fans out to SQS, and importers load the files into the database. A report compares the counts of every
stage, for each organisation.

| step | task | |
|---|---|---|
| 0 | `purge_dead_letters` | archive and remove the window's dead letters: later ones belong to this run |
| 1 | `get_active_org_ids` | the organisations that the report must have a row for |
| | `wait_for_collectors` | wait for all files of the collectors; return the counts that they announced |
| | `delete_window` | delete the rows of this window, so that a re-run is idempotent |
| 2 | `archive_uploads` | move the new files to the archive, count their messages by organisation |
| 3 | `choose_model` | use the day's trust model, which the DAG `model_building` builds, if it is there |
| | `build_trust_model` | otherwise learn from the days before which domains and networks to trust |
| 4 | `score_messages` | the aggregate Spark job: score, verdict, counts, summaries |
| 5 | `check_for_messages` | go straight to the report if SQS has no new messages |
| | `import_scored_messages_1`, `_2` | importers that share the queue |
| | `import_summaries` | load the summaries for the web application |
| 6 | `wait_for_own_files` | wait until this run's files are loaded, whichever run's importer loads them |
| | `check_new_rows` | check that the database has rows of the window |
| | `count_sending_domains` | check that the summaries are whole; count their sending domains (RDAs) for the report |
| 7 | `wait_for_queue_to_drain` | wait until no message is visible, in flight or delayed |
| 8 | `report_dead_letters`, `send_report` | send the correctness report by e-mail and alerts to Slack |

Any task may fail, be killed or be cleared with its downstream tasks: the table's contents in the end are the same.
Several hours may run at once, and share the queues: each has its own files, dead letters and rows. The
window is the run's own hour, unless the parameters `window_start` and `window_hours` name another one.

Slack gets an alert if the messages are not scored within 45 minutes, or if the report is not sent within 75 minutes,
and another message when they are.

The DAG `reload_data` loads a window again from its scored files, without Spark.

Connections: `aws_default`, `scoring_db` (PostgreSQL, MySQL or SQLite), `smtp_default`, `slack_default`. If the
environment variable `MESSAGE_SCORING_VICTOROPS` names a connection to VictorOps, the alerts also page people.
"""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.sql.operators.sql import SQLCheckOperator
from scoring_pipeline import (
    AWS,
    BUCKET,
    BUCKET_PARAMS,
    COMPLETED,
    DATABASE,
    DEFAULT_ARGS,
    MACROS,
    MODEL_PARAMS,
    REPORT_PARAMS,
    SLACK,
    SPARK,
    SUMMARIES,
    TABLE,
    TARGET,
    VICTOROPS,
    WINDOW,
    WINDOW_PARAMS,
    added_up,
    collected,
    correctness_report,
    count_sending_domains,
    get_active_org_ids,
    keys_below,
    manifests,
    newest_complete,
    run_folder,
    s3_client,
    scored_total,
    summaries_import,
    trust_model,
    window_of,
)

from airflow_agari_provider.airflow_compat import (
    DAG,
    BaseHook,
    BaseSensorOperator,
    CronDataIntervalTimetable,
    Label,
    Param,
    PokeReturnValue,
    TaskGroup,
    TriggerRule,
    task,
)
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.operators.avro_s3_import import AvroS3ImportOperator
from airflow_agari_provider.operators.emr_spark_scoring import EmrSparkScoringOperator
from airflow_agari_provider.operators.sqs_dead_letters import SqsDeadLetterPurgeOperator, SqsDeadLetterReportOperator
from airflow_agari_provider.sensors.avro_s3_loaded import AvroS3LoadedSensor
from airflow_agari_provider.sensors.sqs_drain import SqsDrainSensor
from airflow_agari_provider.slas import set_slas

logger = logging.getLogger(__name__)

# SLAs are part of the DAG, so a deployment sets its own values by environment variables, not by parameters
SCORED_WITHIN = timedelta(seconds=float(os.environ.get("MESSAGE_SCORING_SCORED_WITHIN", "2700")))
REPORTED_WITHIN = timedelta(minutes=75)
IMPORTERS = 2


class CollectorsSensor(BaseSensorOperator):
    """
    Wait until all objects of the window have arrived on S3. Return the counts that the collectors announced.

    A manifest names the objects of an hour. Copies between regions may be late, so each object is looked for.
    """

    def poke(self, context: Any) -> PokeReturnValue:
        params, window = context["params"], window_of(context["dag_run"], context["params"])
        s3, bucket = s3_client(), params["messages_bucket"]
        found = manifests(s3, bucket, window)
        keys = {
            key.partition("/")[2]
            for stage in ("incoming", "archive")
            for folder in window.folders()
            for key in keys_below(s3, bucket, f"{stage}/{folder}")
        }
        missing = [key for manifest in found for key in manifest["objects"] if key.partition("/")[2] not in keys]
        logger.info("%d of %d hours announced, %d objects missing", len(found), len(window.hours()), len(missing))
        return PokeReturnValue(len(found) == len(window.hours()) and not missing, collected(found, window))


@task
def delete_window(params: Any = None, dag_run: Any = None) -> None:
    """**1b.** Delete the window's rows, so that a re-run does not find rows of an earlier one."""
    from contextlib import closing

    from airflow_agari_provider.databases.dialects import dialect_of

    window = window_of(dag_run, params)
    with closing(BaseHook.get_connection(DATABASE).get_hook().get_conn()) as connection:
        for table in (TABLE, SUMMARIES):
            if not dialect_of(connection).table_exists(connection, table):
                logger.info("Table %s does not exist yet: nothing to delete", table)
                continue
            cursor = connection.cursor()
            cursor.execute(f"DELETE FROM {table} WHERE {window.sql}")  # noqa: S608  (a constant and digits)
            connection.commit()
            logger.info("Deleted %d rows of %s from %s", cursor.rowcount, window.name, table)


@task
def archive_uploads(params: Any = None, dag_run: Any = None) -> dict[str, int]:
    """
    **2.** Move the window's upload files to the archive; **2a.** count their messages by organisation.

    The counts come from the headers of the Avro blocks: no record is decoded. Each file is copied before it is deleted.
    If the task dies in between, both objects exist, and its retry moves the file again.
    """
    from airflow_agari_provider.avro.objects import count_records

    s3, bucket, window = s3_client(), params["messages_bucket"], window_of(dag_run, params)
    waiting = {key for folder in window.folders() for key in keys_below(s3, bucket, f"incoming/{folder}")}
    named = sorted(key for manifest in manifests(s3, bucket, window) for key in manifest["objects"])

    def move(key: str) -> tuple[str, int]:
        target = "archive/" + key.partition("/")[2]
        if key in waiting:
            s3.copy_object(Bucket=bucket, Key=target, CopySource={"Bucket": bucket, "Key": key})
            s3.delete_object(Bucket=bucket, Key=key)
        organisation = key.partition("org_id=")[2].partition("/")[0]
        return organisation, count_records(s3, bucket, target)

    with ThreadPoolExecutor(max_workers=8) as pool:
        counts = list(pool.map(move, named))
    logger.info("Archived %d files with %d messages", len(named), sum(count for _, count in counts))
    return added_up(counts, window)


@task.branch
def choose_model(params: Any = None, dag_run: Any = None, ti: Any = None) -> str:
    """
    **3.** Use the day's model if there is a complete one; otherwise build one in a folder of the run.

    The XCom ``model`` says which. No Spark job is started if the day's model is there.
    """
    window, bucket = window_of(dag_run, params), params["messages_bucket"]
    of_day = newest_complete(s3_client(), bucket, f"models/dt={window.start:%Y-%m-%d}/")
    model = f"s3://{bucket}/{of_day or f'models/runs/{window.name}/{run_folder(ti)}/'}"
    ti.xcom_push(key="model", value=model)
    logger.info("%s %s", "Using the day's model" if of_day else "The day has no model yet; building one in", model)
    return "score.score_messages" if of_day else "score.build_trust_model"


@task.branch
def check_for_messages(params: Any = None, ti: Any = None) -> list[str]:
    """**5.** Import if SQS has messages, or if rows were scored, whose messages may be late; else go to the report."""
    from airflow.providers.amazon.aws.hooks.sqs import SqsHook

    from airflow_agari_provider.queues.depth import read_depth

    scored = sum(ti.xcom_pull(task_ids="score.score_messages")["counts"].get("scored", {}).values())
    depth = read_depth(SqsHook(aws_conn_id=AWS).get_conn(), params["queue_url"])
    logger.info("%d rows scored; queue: %s", scored, depth)
    if scored == 0 and depth.total == 0:
        return ["report.send_report"]
    return ["load.import_summaries", *(f"load.import_scored_messages_{number}" for number in range(1, IMPORTERS + 1))]


with DAG(
    dag_id="message_scoring",
    description="Score the hour's e-mail messages with Spark on EMR and load them, with counts that match",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2016, 4, 28, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,  # late hours run beside each other
    default_args=DEFAULT_ARGS,
    user_defined_macros=MACROS,
    tags=["agari", "example"],
    params={
        "window_start": Param(
            None, type=["null", "string"], description="First hour, UTC, ISO 8601; empty: the run's own hour"
        ),
        **WINDOW_PARAMS,
        "row_check_hours": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            description="The check for new rows looks at this many hours up to the window's end; empty: the window",
        ),
        **MODEL_PARAMS,
        **BUCKET_PARAMS,
        "queue_url": Param(
            "https://sqs.us-east-1.amazonaws.com/123456789012/importer",
            type="string",
            description="SQS queue with S3's notifications of scored files",
        ),
        "dead_letter_queue_url": Param(
            "https://sqs.us-east-1.amazonaws.com/123456789012/importer-dead",
            type="string",
            description="SQS queue for messages that the importers failed to load",
        ),
        "queue_wait_seconds": Param(20, type="integer", minimum=0, maximum=20, description="SQS long poll, seconds"),
        "quiet_period": Param(120, type="integer", minimum=1, description="Drained after this many seconds at zero"),
        **REPORT_PARAMS,
    },
) as dag:
    COUNTS = "ti.xcom_pull(task_ids='score.score_messages')['counts']"
    AT_LEAST_ONE = f"{{{{ [1, {scored_total(COUNTS)}] | min }}}}"  # 1 row; 0 if nothing was scored
    MODEL = "{{ ti.xcom_pull(task_ids='score.choose_model', key='model') }}"
    ROW_CHECK = f"{{{{ {WINDOW}.last(params.row_check_hours).sql }}}}"
    # <window>/<run>/<generation>/ of the scoring, whose generation another task does not know
    SCORED_AT = "{{ ti.xcom_pull(task_ids='score.score_messages')['counts_url'].split('/')[-4:] | join('/') }}"
    OUTPUT = f"{{{{ {WINDOW}.name }}}}/{{{{ run_folder(ti) }}}}/"
    OF_WINDOW = f"{BUCKET}/scored/{{{{ {WINDOW}.name }}}}/"  # whoever shares the queues, these files are this window's

    with TaskGroup("prepare", tooltip="0 to 2: remove what an earlier run left, and collect what was sent"):
        purge_dead_letters = SqsDeadLetterPurgeOperator(
            task_id="purge_dead_letters",
            doc_md="**0.** Archive, then delete the window's dead letters: the ones found at the end are of this run.",
            queue_url="{{ params.dead_letter_queue_url }}",
            objects_below=OF_WINDOW,
            archive_url=f"{BUCKET}/dead-letters/",
            aws_conn_id=AWS,
        )
        collectors = CollectorsSensor(
            task_id="wait_for_collectors",
            doc_md="**1a.** Wait for the collectors' files; return the counts that the collectors announced.",
            poke_interval=10,
            timeout=1800,
        )
        organisations = get_active_org_ids()
        deleted = delete_window()
        archived = archive_uploads()
        [organisations, purge_dead_letters, collectors, deleted] >> archived

    with TaskGroup("score", tooltip="3 and 4: Spark on EMR"):
        build_trust_model = trust_model(
            WINDOW,
            MODEL,
            "**3.** If the day has no model: learn from the days before which domains and networks to trust.",
        )
        score_messages = EmrSparkScoringOperator(
            task_id="score_messages",
            doc_md="**4.** Score every message of the window; skip and count the messages that cannot be scored.",
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,  # the model may not have to be built
            script=str(SPARK / "score_messages.py"),
            script_prefix=f"{BUCKET}/scripts/",
            arguments=[
                "--input",
                f"{{{{ archive_urls({WINDOW}, params.messages_bucket) }}}}",
                "--model",
                MODEL,
                "--output",
                f"{BUCKET}/scored/{OUTPUT}",
                "--summaries",
                f"{BUCKET}/summaries/{OUTPUT}",
                "--counts",
                f"{BUCKET}/counts/{OUTPUT}",
                "--window-start",
                f"{{{{ {WINDOW}.start.isoformat() }}}}",
                "--window-end",
                f"{{{{ {WINDOW}.end.isoformat() }}}}",
                "--organisations",
                "{{ params.organisations | join(',') }}",
            ],
            counts_url=f"{BUCKET}/counts/{OUTPUT}",
            target=TARGET,
            poll_interval=5,
            aws_conn_id=AWS,
        )
        choose_model() >> [build_trust_model, score_messages]
        build_trust_model >> score_messages

    messages = check_for_messages()

    with TaskGroup("load", tooltip="5 to 7: from the queue into the database"):
        importers = [
            AvroS3ImportOperator(
                task_id=f"import_scored_messages_{number}",
                doc_md="**5.** Read, persist, acknowledge: a message is deleted only after its rows are committed.",
                table=TABLE,
                sql_conn_id=DATABASE,
                queue_url="{{ params.queue_url }}",
                wait_time_seconds="{{ params.queue_wait_seconds }}",
                mode="upsert",
                key_columns=["org_id", "message_id"],
                create_table=True,
                count_by="org_id",
                aws_conn_id=AWS,
            )
            for number in range(1, IMPORTERS + 1)
        ]
        summaries = summaries_import(f"{BUCKET}/summaries/{SCORED_AT}")
        sending_domains = count_sending_domains(f"{{{{ {scored_total(COUNTS)} }}}}")
        summaries >> sending_domains
        wait_for_own_files = AvroS3LoadedSensor(
            task_id="wait_for_own_files",
            doc_md="**6.** Wait until this run's files are in the table, whichever run's importer loads them.",
            s3_url=f"{BUCKET}/scored/{SCORED_AT}",
            table=TABLE,
            sql_conn_id=DATABASE,
            queue_url="{{ params.queue_url }}",
            quiet_period="{{ params.quiet_period }}",
            poke_interval=10,
            timeout=1800,
            on_missing="warn",  # the report tells what is lost
            if_no_objects="ok",
            aws_conn_id=AWS,
        )
        check_new_rows = SQLCheckOperator(
            task_id="check_new_rows",
            doc_md="**6.** Check that the database has rows of the window, if any were scored.",
            conn_id=DATABASE,
            sql=f"SELECT COUNT(*) >= {AT_LEAST_ONE} FROM {TABLE} WHERE {ROW_CHECK}",  # noqa: S608
        )
        wait_for_queue_to_drain = SqsDrainSensor(
            task_id="wait_for_queue_to_drain",
            doc_md="**7.** Wait until no message is visible, in flight or delayed for a whole quiet period.",
            queue_url="{{ params.queue_url }}",
            quiet_period="{{ params.quiet_period }}",
            poke_interval=10,
            timeout=1800,
            stall_timeout=900,
            on_dead_letters="warn",  # a later task reports them
            aws_conn_id=AWS,
        )
        importers >> wait_for_own_files >> check_new_rows >> wait_for_queue_to_drain

    with TaskGroup("report", tooltip="8: how many messages arrived, and at which stage messages were lost"):
        report_dead_letters = SqsDeadLetterReportOperator(
            task_id="report_dead_letters",
            doc_md="**8.** Tell Slack how many messages the importers failed on, with one example and its exception.",
            queue_url="{{ params.dead_letter_queue_url }}",
            objects_below=OF_WINDOW,
            sql_conn_id=DATABASE,  # its ledger has the exceptions of the importers
            slack_conn_id=SLACK,
            victorops_conn_id=VICTOROPS,
            completed=COMPLETED,
            aws_conn_id=AWS,
        )
        send_report = correctness_report("ti.xcom_pull(task_ids='prepare.wait_for_collectors')", COUNTS)
        report_dead_letters >> send_report

    archived >> score_messages
    score_messages >> messages
    messages >> Label("new messages") >> [summaries, *importers]
    messages >> Label("none") >> send_report
    wait_for_queue_to_drain >> report_dead_letters
    sending_domains >> send_report

set_slas(
    dag,
    {"score.score_messages": SCORED_WITHIN, "report.send_report": REPORTED_WITHIN},
    alerts=[
        SlackSlaMissNotifier(slack_conn_id=SLACK),
        *([VictorOpsSlaMissNotifier(victorops_conn_id=VICTOROPS)] if VICTOROPS else []),
    ],
    claims=f"sql:{DATABASE}",
)
