"""Every argument that a user can give is on a page."""

from __future__ import annotations

import inspect
import re

import pytest

from airflow_agari_provider.blast_radius.feeds import Feeds
from airflow_agari_provider.hooks.victorops import VictorOpsHook
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.operators.avro_kinesis_import import AvroKinesisImportOperator
from airflow_agari_provider.operators.avro_s3_import import AvroS3ImportOperator
from airflow_agari_provider.operators.discrepancy_check import (
    Comparison,
    DiscrepancyCheckOperator,
    Distribution,
    Expected,
    Stage,
    Tolerance,
)
from airflow_agari_provider.operators.emr_spark_scoring import (
    EmrCluster,
    EmrOnEks,
    EmrServerless,
    EmrSparkScoringOperator,
    LivySpark,
    StandaloneSpark,
)
from airflow_agari_provider.operators.spark_job_sweep import SparkJobSweepOperator
from airflow_agari_provider.operators.sqs_dead_letters import SqsDeadLetterPurgeOperator, SqsDeadLetterReportOperator
from airflow_agari_provider.operators.sqs_redrive import SqsRedriveOperator
from airflow_agari_provider.operators.sqs_scaling import SqsScalingOperator
from airflow_agari_provider.sensors.avro_s3_loaded import AvroS3LoadedSensor
from airflow_agari_provider.sensors.kinesis_lag import KinesisLagSensor
from airflow_agari_provider.sensors.sqs_drain import SqsDrainSensor
from airflow_agari_provider.slas import SlaAlert, set_slas
from tests.docs.blocks import ROOT

PAGES = {
    "alerting": (SlaAlert, SlackSlaMissNotifier, VictorOpsHook, VictorOpsSlaMissNotifier, set_slas),
    "avro_kinesis_import": (AvroKinesisImportOperator,),
    "avro_s3_import": (AvroS3ImportOperator,),
    "avro_s3_loaded": (AvroS3LoadedSensor,),
    "blast_radius": (Feeds,),
    "discrepancy_check": (Comparison, DiscrepancyCheckOperator, Distribution, Expected, Stage, Tolerance),
    "emr_spark_scoring": (
        EmrCluster,
        EmrOnEks,
        EmrServerless,
        EmrSparkScoringOperator,
        LivySpark,
        SparkJobSweepOperator,
        StandaloneSpark,
    ),
    "kinesis_lag": (KinesisLagSensor,),
    "sqs_dead_letters": (SqsDeadLetterPurgeOperator, SqsDeadLetterReportOperator, SqsRedriveOperator),
    "sqs_drain": (SqsDrainSensor,),
    "sqs_scaling": (SqsScalingOperator,),
}
ARGUMENTS = [
    (page, public, name)
    for page, all_public in PAGES.items()
    for public in all_public
    for name, parameter in inspect.signature(public).parameters.items()
    if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    and name not in ("self", "dag", "args", "kwargs")
]


@pytest.mark.parametrize(
    ("page", "public", "name"), ARGUMENTS, ids=[f"{public.__name__}-{name}" for _, public, name in ARGUMENTS]
)
def test_an_argument_is_on_the_page_of_its_class(page, public, name):
    text = (ROOT / "docs" / f"{page}.md").read_text()
    code = " ".join(re.findall(r"`[^`]+`|```.*?```", text, re.DOTALL))
    assert re.search(rf"\b{name}\b", code), f"{public.__name__}({name}=...) is not on docs/{page}.md"
