"""
What the DAGs of the scoring pipeline share: connections, the window, its objects on S3, and the correctness report.

It is in the same folder as the DAGs, which Airflow puts on Python's path. Copy it with them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from airflow_agari_provider.airflow_compat import AirflowFailException, BaseHook, Param, TriggerRule, task
from airflow_agari_provider.operators.avro_s3_import import AvroS3ImportOperator
from airflow_agari_provider.operators.discrepancy_check import (
    DiscrepancyCheckOperator,
    Distribution,
    Expected,
    Stage,
)
from airflow_agari_provider.operators.emr_spark_scoring import (
    EmrCluster,
    EmrOnEks,
    EmrServerless,
    EmrSparkScoringOperator,
    SparkTarget,
)

AWS, DATABASE, SLACK = "aws_default", "scoring_db", "slack_default"
TABLE, SUMMARIES = "scored_messages", "message_summaries"
SPARK = Path(__file__).parent / "spark"
HOUR = timedelta(hours=1)
NAMED_IDS = 60  # characters of the ids in a window's name; longer lists get a hash, because S3 limits a key

# A deployment sets these by environment variables, not by parameters. Airflow does not render a task's pool. And a
# person who may start a run must not thereby run SQL of their own.
VICTOROPS = os.environ.get("MESSAGE_SCORING_VICTOROPS")  # connection id; if it is not set, alerts page no one
POOL = os.environ.get("MESSAGE_SCORING_POOL", "default_pool")
ACTIVE_ORGANISATIONS = os.environ.get("MESSAGE_SCORING_ORGANISATIONS_SQL")  # query of the ids; runs on DATABASE

# The deployment sets how long a retry waits: [core] default_task_retry_delay
DEFAULT_ARGS = {"owner": "data-platform", "retries": 2, "priority_weight": 10, "pool": POOL}

EMR_RELEASE = "emr-7.9.0"
LOGS = "s3://{{ params.messages_bucket }}/emr-logs/"

CLUSTER = EmrCluster(
    name="{{ params.cluster_name }}",
    create={  # if no live one has the name; see run_job_flow in the EMR API reference
        "ReleaseLabel": EMR_RELEASE,
        "Applications": [{"Name": "Spark"}],
        "LogUri": LOGS,
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
    },
    idle_timeout=timedelta(minutes=30),
)


def scoring_target(place: str, role: str) -> SparkTarget:
    """
    Return where the Spark jobs run.

    :param place: ``serverless:<name of the application>``, ``eks:<id of the virtual cluster>``, or empty: ``CLUSTER``.
    :param role: ARN of the role as which jobs run there; clusters have their own.
    """
    kind, _, name = place.partition(":")
    if kind == "serverless":
        return EmrServerless(name=name, execution_role_arn=role, log_uri=LOGS)
    if kind == "eks":
        return EmrOnEks(name, role, f"{EMR_RELEASE}-latest", log_uri=LOGS)
    if kind:
        raise ValueError(f"MESSAGE_SCORING_TARGET is serverless:<name> or eks:<id>, not {place!r}")
    return CLUSTER


TARGET = scoring_target(os.environ.get("MESSAGE_SCORING_TARGET", ""), os.environ.get("MESSAGE_SCORING_ROLE", ""))

WINDOW_PARAMS = {
    "window_hours": Param(1, type="integer", minimum=1, maximum=96, description="Length of the window in hours"),
    "organisations": Param([], type="array", items={"type": "integer"}, description="Only these ids; empty: all"),
}
REPORT_PARAMS = {
    "mail_to": Param("data-platform@example.com", type="string", description="Addresses that get the report"),
}
BUCKET_PARAMS = {
    "messages_bucket": Param("agari-messages", type="string", description="S3 bucket of messages, scores and logs"),
}
MODEL_PARAMS = {
    "history_days": Param(
        5, type="integer", minimum=1, maximum=60, description="How many days the trust model learns from"
    ),
    "cluster_name": Param("message-scoring", type="string", description="EMR cluster to join or create"),
}


class Window(NamedTuple):
    """
    Whole hours in UTC, from ``start`` to ``end``, which is not included.

    :param organisations: only their messages; empty: those of all.
    """

    start: datetime
    end: datetime
    organisations: tuple[int, ...] = ()

    @property
    def first_hour(self) -> str:
        return f"{self.start:%Y-%m-%dT%H}"

    @property
    def name(self) -> str:
        """Name of its folders on S3, such as ``2016-04-28T05_1h``. Hadoop refuses colons in paths."""
        ids = "-".join(map(str, self.organisations))
        if len(ids) > NAMED_IDS:
            ids = hashlib.sha256(ids.encode()).hexdigest()[:16]
        return f"{self.first_hour}_{len(self.hours())}h" + (f"_only_{ids}" if ids else "")

    @property
    def text(self) -> str:
        """For people: a day as ``2016-04-28``, an hour as ``2016-04-28, 05:00 to 06:00``."""
        if self.start.hour == 0 and self.end - self.start == 24 * HOUR:
            return f"{self.start:%Y-%m-%d}"
        same_day = self.start.date() == self.end.date()
        return f"{self.start:%Y-%m-%d, %H:%M} to {self.end:{'%H:%M' if same_day else '%Y-%m-%d, %H:%M'}}"

    @property
    def sql(self) -> str:
        """
        Condition on the columns ``hour`` and ``org_id``.

        Its values contain only digits, ``-`` and ``T``, so they are safe.
        """
        hours = f"hour >= '{self.first_hour}' AND hour < '{self.end:%Y-%m-%dT%H}'"
        ids = ", ".join(map(str, self.organisations))
        return f"{hours} AND org_id IN ({ids})" if ids else hours

    def last(self, hours: int | None) -> Window:
        """Return the last hours up to this window's end; ``None``: this window."""
        return self._replace(start=self.end - hours * HOUR) if hours else self

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


def in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def window_of(dag_run: Any, params: Any) -> Window:
    """Return the window that the parameters name, otherwise the first hour of the run's data interval."""
    named = params["window_start"]
    # A run that an asset or a person started may have no data interval: then take the hour before the run.
    start = datetime.fromisoformat(named) if named else dag_run.data_interval_start or dag_run.run_after - HOUR
    start = in_utc(start).replace(minute=0, second=0, microsecond=0)
    return Window(start, start + params["window_hours"] * HOUR, tuple(sorted(set(params["organisations"]))))


def archive_urls(window: Window, bucket: str, days_before: int = 0) -> str:
    return ",".join(f"s3://{bucket}/archive/{folder}" for folder in window.folders(days_before))


def run_folder(ti: Any) -> str:
    """
    Return a folder's name for each run and generation of a task; a clear starts a new generation.

    So no importer is told to read a file that a later scoring has deleted, and no two runs write to one folder.
    """
    return f"{ti.run_id.replace(':', '').replace('+', '_')}/{ti.max_tries}"


def skips_of(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return the scoring job's counts of skipped messages, as reason -> organisation -> messages."""
    return {
        stage.removeprefix("skipped: "): by_organisation
        for stage, by_organisation in counts.items()
        if stage.startswith("skipped: ")
    }


def scored_total(counts: str) -> str:
    """Return the Jinja expression of the number of scored messages, from that of the scoring job's counts."""
    return f"{counts}.get('scored', {{}}).values() | sum"


MACROS = {"window_of": window_of, "archive_urls": archive_urls, "run_folder": run_folder, "skips_of": skips_of}
WINDOW = "window_of(dag_run, params)"
BUCKET = "s3://{{ params.messages_bucket }}"
COMPLETED = f"{{{{ {WINDOW}.start.strftime('%Y-%m-%d %H:%M:%S') }}}}"


def s3_client() -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    return S3Hook(aws_conn_id=AWS).get_conn()


def keys_below(s3: Any, bucket: str, prefix: str) -> dict[str, datetime]:
    """Return the keys that begin with the prefix, and when each object was written."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {entry["Key"]: entry["LastModified"] for page in pages for entry in page.get("Contents", [])}


def newest_complete(s3: Any, bucket: str, prefix: str) -> str | None:
    """Return the folder below the prefix that a job completed last: Spark writes its ``_SUCCESS`` after all else."""
    written = keys_below(s3, bucket, prefix)
    marks = [(written[key], key) for key in written if key.rpartition("/")[2] == "_SUCCESS"]
    return max(marks)[1].removesuffix("_SUCCESS") if marks else None


def manifests(s3: Any, bucket: str, window: Window) -> list[dict[str, Any]]:
    """Return the collectors' manifests: what they sent, for each hour of the window that they have finished."""
    wanted = [f"manifests/dt={hour:%Y-%m-%d/hour=%H}.json" for hour in window.hours()]
    there = {
        key for day in window.folders() for key in keys_below(s3, bucket, f"manifests/{day.partition('hour=')[0]}")
    }
    return [json.load(s3.get_object(Bucket=bucket, Key=key)["Body"]) for key in wanted if key in there]


def added_up(counts: Iterable[tuple[str, int]], window: Window) -> dict[str, int]:
    """Return the sum of each organisation's counts, of those that belong to the window."""
    sums: dict[str, int] = {}
    for organisation, count in counts:
        if not window.organisations or int(organisation) in window.organisations:
            sums[organisation] = sums.get(organisation, 0) + count
    return sums


def collected(found: Iterable[dict[str, Any]], window: Window) -> dict[str, int]:
    """Return the counts that the collectors announced, by organisation."""
    return added_up((item for manifest in found for item in manifest["counts"].items()), window)


@task
def get_active_org_ids(params: Any = None) -> list[str]:
    """**1.** Return the organisations that the report must have a row for, also if they sent nothing."""
    if params["organisations"] or not ACTIVE_ORGANISATIONS:
        return [str(organisation) for organisation in params["organisations"]]
    return [str(row[0]) for row in BaseHook.get_connection(DATABASE).get_hook().get_records(ACTIVE_ORGANISATIONS)]


@task
def count_sending_domains(scored: str, params: Any = None, dag_run: Any = None) -> int:
    """**6.** Check that the summaries have every scored message; count their sending domains (RDAs) for the report."""
    window = window_of(dag_run, params)
    sql = f"SELECT COUNT(DISTINCT domain), COALESCE(SUM(messages), 0) FROM {SUMMARIES} WHERE {window.sql}"  # noqa: S608
    domains, messages = BaseHook.get_connection(DATABASE).get_hook().get_first(sql)
    if messages != int(scored):
        raise AirflowFailException(
            f"The summaries of {window.text} in {SUMMARIES} have {messages} messages, but {scored} were scored. Clear "
            "import_summaries; if that does not help, clear the scoring, which writes the summaries again."
        )
    return int(domains)


def trust_model(window: str, output: str, doc_md: str) -> EmrSparkScoringOperator:
    """
    Return the task that learns from the days before a window.

    :param window: Jinja expression of the window.
    :param output: S3 URL of the model.
    """
    history = f"{{{{ archive_urls({window}, params.messages_bucket, params.history_days) }}}}"
    return EmrSparkScoringOperator(
        task_id="build_trust_model",
        doc_md=doc_md,
        script=str(SPARK / "build_trust_model.py"),
        script_prefix=f"{BUCKET}/scripts/",
        arguments=["--input", history, "--output", output],
        target=TARGET,
        poll_interval=5,
        aws_conn_id=AWS,
    )


def summaries_import(s3_url: str) -> AvroS3ImportOperator:
    """Return the task that replaces the window's summaries."""
    return AvroS3ImportOperator(
        task_id="import_summaries",
        doc_md="**5.** Replace the window's summaries (organisation, hour, sending domain), in one transaction.",
        table=SUMMARIES,
        sql_conn_id=DATABASE,
        s3_url=s3_url,
        mode="replace",
        replace_where=f"{{{{ {WINDOW}.sql }}}}",
        create_table=True,
        if_no_objects="ok",  # a window without messages
        aws_conn_id=AWS,
    )


def correctness_report(collected: str, counts: str) -> DiscrepancyCheckOperator:
    """
    Return the task that compares the counts of every stage and sends the report.

    :param collected: Jinja expression of the collectors' counts by organisation.
    :param counts: Jinja expression of the scoring job's counts by stage and organisation.
    """
    return DiscrepancyCheckOperator(
        task_id="send_report",
        doc_md="**8.** Compare the counts of every stage by organisation, mail the report, alert on a difference.",
        trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
        stages=[
            Stage("Collector", counts=f"{{{{ {collected} | tojson }}}}"),
            Stage("Read", counts=f"{{{{ {counts}.get('read', {{}}) | tojson }}}}", shown=False),
            Stage("Agg", counts=f"{{{{ {counts}.get('scored', {{}}) | tojson }}}}"),
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
        skips=f"{{{{ skips_of({counts}) | tojson }}}}",
        expected_keys="{{ ti.xcom_pull(task_ids='prepare.get_active_org_ids') | tojson }}",
        # A collector that is silent, and a model that distrusts everybody, lose no message between two stages
        expected=[Expected("Collector", keys=10)],
        distributions=[
            Distribution(
                "verdict",
                sql=f"SELECT verdict, COUNT(*) FROM {TABLE} WHERE {{{{ {WINDOW}.sql }}}} GROUP BY verdict",  # noqa: S608
                conn_id=DATABASE,
            )
        ],
        series="{{ params.window_hours }} h of {{ params.organisations or 'all' }}",
        history_conn_id=DATABASE,
        window=COMPLETED,
        greeting="Hello,",
        # Without messages, the summaries are not imported, and no domain has sent any.
        facts={
            "Day": f"{{{{ {WINDOW}.text }}}}",
            "RDAs": "{{ ti.xcom_pull(task_ids='load.count_sending_domains') or 0 }}",
        },
        on_discrepancy="alert",
        on_empty="alert",  # the run of a window without messages ends well, but somebody should look why
        email_to="{{ params.mail_to }}",
        slack_conn_id=SLACK,
        victorops_conn_id=VICTOROPS,
    )
