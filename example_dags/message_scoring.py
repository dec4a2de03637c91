"""
### Message scoring

Every hour, give each e-mail of the hour a trust score and load it into the database of the web application. Then check
that no message was lost and that none was counted twice.

Each customer's collector writes messages as Avro files to S3. Spark on EMR scores them and writes Avro files. S3
notifies SNS, SNS fans out to SQS, and importers load the files into the database. A report compares the counts of every
stage, for each organisation.

| step | task | |
|---|---|---|
| 0 | `purge_dead_letters` | archive and empty the dead-letter queue: later dead letters belong to this run |
| 1 | `wait_for_collectors` | wait for all files of the collectors; return the counts that they announced |
| | `delete_window` | delete the rows of this window, so that a re-run is idempotent |
| 2 | `archive_uploads` | move the new files to the archive, count their messages by organisation |
| 3 | `build_trust_model` | learn from the days before which domains and networks to trust |
| 4 | `score_messages` | the aggregate Spark job: score, verdict, counts |
| 5 | `check_for_messages` | go straight to the report if SQS has no new messages |
| | `import_scored_messages_1`, `_2` | importers that share the queue |
| 6 | `check_new_rows` | check that the database has rows of the window |
| 7 | `wait_for_queue_to_drain` | wait until no message is visible, in flight or delayed |
| 8 | `report_dead_letters`, `send_report` | send the correctness report by e-mail and alerts to Slack |

Any task may fail, be killed or be cleared with its downstream tasks: the table's contents in the end are the same. The
window is the run's own hour, unless the parameters `window_start` and `window_hours` name another one.

Slack gets an alert if the messages are not scored within 45 minutes, or if the report is not sent within 75 minutes,
and another message when they are.

Connections: `aws_default`, `scoring_db` (PostgreSQL, MySQL or SQLite), `smtp_default`, `slack_default`. If the
environment variable `MESSAGE_SCORING_VICTOROPS` names a connection to VictorOps, the alerts also page people.
"""

from __future__ import annotations

import json
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from airflow.providers.common.sql.operators.sql import SQLCheckOperator

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
from airflow_agari_provider.operators.discrepancy_check import DiscrepancyCheckOperator, Stage
from airflow_agari_provider.operators.emr_spark_scoring import EmrCluster, EmrSparkScoringOperator
from airflow_agari_provider.operators.sqs_dead_letters import SqsDeadLetterPurgeOperator, SqsDeadLetterReportOperator
from airflow_agari_provider.sensors.sqs_drain import SqsDrainSensor
from airflow_agari_provider.slas import set_slas

logger = logging.getLogger(__name__)

AWS, DATABASE, SLACK = "aws_default", "scoring_db", "slack_default"
# SLAs are part of the DAG, so a deployment sets its own values by environment variables, not by parameters
VICTOROPS = os.environ.get("MESSAGE_SCORING_VICTOROPS")  # connection id; if it is not set, alerts page no one
SCORED_WITHIN = timedelta(seconds=float(os.environ.get("MESSAGE_SCORING_SCORED_WITHIN", "2700")))
REPORTED_WITHIN = timedelta(minutes=75)
ENVIRONMENT = "EP_STAGE"
TABLE = "scored_messages"
SPARK = Path(__file__).parent / "spark"
IMPORTERS = 2
HOUR = timedelta(hours=1)

CLUSTER = {  # for a new cluster, if no live one has the name; see run_job_flow in the EMR API reference
    "ReleaseLabel": "emr-7.9.0",
    "Applications": [{"Name": "Spark"}],
    "LogUri": "s3://{{ params.messages_bucket }}/emr-logs/",
    "Instances": {
        "InstanceGroups": [
            {"Name": "Primary", "InstanceRole": "MASTER", "InstanceType": "m6g.xlarge", "InstanceCount": 1},
            {"Name": "Core", "InstanceRole": "CORE", "InstanceType": "m6g.2xlarge", "InstanceCount": 2},
        ],
        "KeepJobFlowAliveWhenNoSteps": True,
    },
    "JobFlowRole": "EMR_EC2_DefaultRole",
    "ServiceRole": "EMR_DefaultRole",
    "VisibleToAllUsers": True,
}


class Window(NamedTuple):
    """Whole hours in UTC, from ``start`` to ``end``, which is not included."""

    start: datetime
    end: datetime

    @property
    def first_hour(self) -> str:
        return f"{self.start:%Y-%m-%dT%H}"

    @property
    def end_hour(self) -> str:
        return f"{self.end:%Y-%m-%dT%H}"

    @property
    def sql(self) -> str:
        """Condition on the column ``hour``. Its two values contain only digits, ``-`` and ``T``, so they are safe."""
        return f"hour >= '{self.first_hour}' AND hour < '{self.end_hour}'"

    def hours(self) -> list[datetime]:
        return [self.start + number * HOUR for number in range((self.end - self.start) // HOUR)]

    def folders(self, days_before: int = 0) -> list[str]:
        """
        Return ``dt=.../hour=.../`` for every hour, or ``dt=.../`` for every day if the window is whole days.

        :param days_before: return the folders of this many whole days before the window instead.
        """
        if days_before:
            return [f"dt={self.start - timedelta(days=days):%Y-%m-%d}/" for days in range(days_before, 0, -1)]
        hours = [f"dt={hour:%Y-%m-%d/hour=%H}/" for hour in self.hours()]
        if self.start.hour == self.end.hour == 0:
            return sorted({folder.partition("hour=")[0] for folder in hours})
        return hours


def window_of(dag_run: Any, params: Any) -> Window:
    """Return the window that the parameters name, otherwise the first hour of the run's data interval."""
    named = params["window_start"]
    # A run that an asset or a person started may have no data interval: then take the hour before the run.
    start = datetime.fromisoformat(named) if named else dag_run.data_interval_start or dag_run.run_after - HOUR
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)
    start = start.replace(minute=0, second=0, microsecond=0)
    return Window(start, start + params["window_hours"] * HOUR)


def archive_urls(window: Window, bucket: str, days_before: int = 0) -> str:
    return ",".join(f"s3://{bucket}/archive/{folder}" for folder in window.folders(days_before))


def skips_of(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return the scoring job's counts of skipped messages, as reason -> organisation -> messages."""
    return {
        stage.removeprefix("skipped: "): by_organisation
        for stage, by_organisation in counts.items()
        if stage.startswith("skipped: ")
    }


def s3_client() -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return S3Hook(aws_conn_id=AWS).get_conn()


def keys_below(s3: Any, bucket: str, prefix: str) -> set[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {entry["Key"] for page in pages for entry in page.get("Contents", [])}


def manifests(s3: Any, bucket: str, window: Window) -> list[dict[str, Any]]:
    """Return the collectors' manifests: what they sent, for each hour of the window that they have finished."""
    wanted = [f"manifests/dt={hour:%Y-%m-%d/hour=%H}.json" for hour in window.hours()]
    there = {
        key for day in window.folders() for key in keys_below(s3, bucket, f"manifests/{day.partition('hour=')[0]}")
    }
    return [json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in wanted if key in there]


def chosen(counts: dict[str, int], params: Any) -> dict[str, int]:
    """Return the counts of the organisations that the parameters name; all counts if they name none."""
    organisations = params["organisations"]
    return {key: count for key, count in counts.items() if not organisations or int(key) in organisations}


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
        counts: dict[str, int] = {}
        for manifest in found:
            for organisation, count in manifest["counts"].items():
                counts[organisation] = counts.get(organisation, 0) + count
        return PokeReturnValue(len(found) == len(window.hours()) and not missing, chosen(counts, params))


@task
def delete_window(params: Any = None, dag_run: Any = None) -> None:
    """**1b.** Delete the window's rows, so that a re-run does not find rows of an earlier one."""
    from contextlib import closing

    from airflow_agari_provider.databases.dialects import dialect_of

    window = window_of(dag_run, params)
    with closing(BaseHook.get_connection(DATABASE).get_hook().get_conn()) as connection:
        if not dialect_of(connection).table_exists(connection, TABLE):
            logger.info("Table %s does not exist yet: nothing to delete", TABLE)
            return
        cursor = connection.cursor()
        cursor.execute(f"DELETE FROM {TABLE} WHERE {window.sql}")  # noqa: S608  (a constant and digits)
        connection.commit()
        logger.info("Deleted %d rows from %s up to %s", cursor.rowcount, window.first_hour, window.end_hour)


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

    counts: dict[str, int] = {}
    with ThreadPoolExecutor(max_workers=8) as pool:
        for organisation, count in pool.map(move, named):
            counts[organisation] = counts.get(organisation, 0) + count
    logger.info("Archived %d files with %d messages", len(named), sum(counts.values()))
    return chosen(counts, params)


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
    return [f"load.import_scored_messages_{number}" for number in range(1, IMPORTERS + 1)]


with DAG(
    dag_id="message_scoring",
    description="Score the hour's e-mail messages with Spark on EMR and load them, with counts that match",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("0 * * * *", timezone="UTC"),
    start_date=datetime(2016, 4, 28, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    # The deployment sets how long a retry waits: [core] default_task_retry_delay
    default_args={"owner": "data-platform", "retries": 2, "priority_weight": 10},
    user_defined_macros={"window_of": window_of, "archive_urls": archive_urls, "skips_of": skips_of},
    tags=["agari", "example"],
    params={
        "window_start": Param(
            None, type=["null", "string"], description="First hour, UTC, ISO 8601; empty: the run's own hour"
        ),
        "window_hours": Param(1, type="integer", minimum=1, maximum=96, description="Length of the window in hours"),
        "organisations": Param(
            [], type="array", items={"type": "integer"}, description="Ids of the organisations to score; empty: all"
        ),
        "history_days": Param(
            5, type="integer", minimum=1, maximum=60, description="How many days the trust model learns from"
        ),
        "messages_bucket": Param("agari-messages", type="string", description="S3 bucket of messages, scores and logs"),
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
        "cluster_name": Param("message-scoring", type="string", description="EMR cluster to join or create"),
        "environment": Param(ENVIRONMENT, type="string", description="Name of this deployment in reports and alerts"),
        "mail_to": Param("data-platform@example.com", type="string", description="Addresses that get the report"),
    },
) as dag:
    WINDOW = "window_of(dag_run, params)"
    BUCKET = "s3://{{ params.messages_bucket }}"
    COUNTS = "ti.xcom_pull(task_ids='score.score_messages')['counts']"
    SCORED = f"{COUNTS}.get('scored', {{}})"
    AT_LEAST_ONE = f"{{{{ [1, {SCORED}.values() | sum] | min }}}}"  # 1 row; 0 if nothing was scored
    COMPLETED = f"{{{{ {WINDOW}.start.strftime('%Y-%m-%d %H:%M:%S') }}}}"
    # One folder for each run and generation (a clear starts a new one): so no importer is told to read a file that a
    # later scoring has deleted. Hadoop refuses colons in paths.
    RUN_FOLDER = "{{ run_id | replace(':', '') | replace('+', '_') }}/{{ ti.max_tries }}"
    cluster = EmrCluster(name="{{ params.cluster_name }}", create=CLUSTER, idle_timeout=timedelta(minutes=30))

    with TaskGroup("prepare", tooltip="0 to 2: remove what an earlier run left, and collect what was sent"):
        purge_dead_letters = SqsDeadLetterPurgeOperator(
            task_id="purge_dead_letters",
            doc_md="**0.** Archive, then delete every dead letter: the ones found at the end belong to this run.",
            queue_url="{{ params.dead_letter_queue_url }}",
            archive_url=f"{BUCKET}/dead-letters/",
            aws_conn_id=AWS,
        )
        collectors = CollectorsSensor(
            task_id="wait_for_collectors",
            doc_md="**1a.** Wait for the collectors' files; return the counts that the collectors announced.",
            poke_interval=10,
            timeout=1800,
        )
        deleted = delete_window()
        archived = archive_uploads()
        [purge_dead_letters, collectors, deleted] >> archived

    with TaskGroup("score", tooltip="3 and 4: Spark on EMR"):
        build_trust_model = EmrSparkScoringOperator(
            task_id="build_trust_model",
            doc_md="**3.** Learn from the days before the window which domains and networks to trust.",
            script=str(SPARK / "build_trust_model.py"),
            script_prefix=f"{BUCKET}/scripts/",
            arguments=[
                "--input",
                f"{{{{ archive_urls({WINDOW}, params.messages_bucket, params.history_days) }}}}",
                "--output",
                f"{BUCKET}/models/{{{{ {WINDOW}.first_hour }}}}/",
            ],
            target=cluster,
            poll_interval=5,
            aws_conn_id=AWS,
        )
        score_messages = EmrSparkScoringOperator(
            task_id="score_messages",
            doc_md="**4.** Score every message of the window; skip and count the messages that cannot be scored.",
            script=str(SPARK / "score_messages.py"),
            script_prefix=f"{BUCKET}/scripts/",
            arguments=[
                "--input",
                f"{{{{ archive_urls({WINDOW}, params.messages_bucket) }}}}",
                "--model",
                f"{BUCKET}/models/{{{{ {WINDOW}.first_hour }}}}/",
                "--output",
                f"{BUCKET}/scored/{RUN_FOLDER}/",
                "--counts",
                f"{BUCKET}/counts/{RUN_FOLDER}/",
                "--window-start",
                f"{{{{ {WINDOW}.start.isoformat() }}}}",
                "--window-end",
                f"{{{{ {WINDOW}.end.isoformat() }}}}",
                "--organisations",
                "{{ params.organisations | join(',') }}",
            ],
            counts_url=f"{BUCKET}/counts/{RUN_FOLDER}/",
            target=cluster,
            poll_interval=5,
            aws_conn_id=AWS,
        )
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
        check_new_rows = SQLCheckOperator(
            task_id="check_new_rows",
            doc_md="**6.** Check that the database has rows of the window, if any were scored.",
            conn_id=DATABASE,
            sql=f"SELECT COUNT(*) >= {AT_LEAST_ONE} FROM {TABLE} WHERE {{{{ {WINDOW}.sql }}}}",  # noqa: S608
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
        importers >> check_new_rows >> wait_for_queue_to_drain

    with TaskGroup("report", tooltip="8: how many messages arrived, and at which stage messages were lost"):
        report_dead_letters = SqsDeadLetterReportOperator(
            task_id="report_dead_letters",
            doc_md="**8.** Tell Slack how many messages the importers failed on, with one example and its exception.",
            queue_url="{{ params.dead_letter_queue_url }}",
            sql_conn_id=DATABASE,  # its ledger has the exceptions of the importers
            slack_conn_id=SLACK,
            victorops_conn_id=VICTOROPS,
            completed=COMPLETED,
            aws_conn_id=AWS,
        )
        send_report = DiscrepancyCheckOperator(
            task_id="send_report",
            doc_md="**8.** Compare the counts of every stage by organisation, mail the report, alert on a difference.",
            trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
            stages=[
                Stage("Collector", counts="{{ ti.xcom_pull(task_ids='prepare.wait_for_collectors') | tojson }}"),
                Stage("Read", counts=f"{{{{ {COUNTS}.get('read', {{}}) | tojson }}}}", shown=False),
                Stage("Agg", counts=f"{{{{ {SCORED} | tojson }}}}"),
                Stage(
                    "DB",
                    sql=f"SELECT org_id, COUNT(*) FROM {TABLE} WHERE {{{{ {WINDOW}.sql }}}} GROUP BY org_id",  # noqa: S608
                    conn_id=DATABASE,
                ),
                Stage(
                    "NRT DB",
                    sql=f"SELECT org_id, SUM(messages) FROM nrt_messages WHERE {{{{ {WINDOW}.sql }}}} GROUP BY org_id",  # noqa: S608
                    conn_id=DATABASE,
                ),
            ],
            skips=f"{{{{ skips_of({COUNTS}) | tojson }}}}",
            environment="{{ params.environment }}",
            window=COMPLETED,
            on_discrepancy="alert",
            email_to="{{ params.mail_to }}",
            slack_conn_id=SLACK,
            victorops_conn_id=VICTOROPS,
        )
        report_dead_letters >> send_report

    archived >> score_messages
    score_messages >> messages
    messages >> Label("new messages") >> importers
    messages >> Label("none") >> send_report
    wait_for_queue_to_drain >> report_dead_letters

set_slas(
    dag,
    {"score.score_messages": SCORED_WITHIN, "report.send_report": REPORTED_WITHIN},
    alerts=[
        SlackSlaMissNotifier(slack_conn_id=SLACK),
        *([VictorOpsSlaMissNotifier(victorops_conn_id=VICTOROPS)] if VICTOROPS else []),
    ],
    claims=f"sql:{DATABASE}",
    environment=ENVIRONMENT,
)
