"""What Airflow's provider manager reads of this package."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Name, description and modules of this provider; Airflow calls it in every process, so it imports nothing."""
    return {
        "package-name": "airflow-agari-provider",
        "name": "Agari",
        "description": "Score data with Spark on EMR, load it from S3 through SQS into a database, check its counts.",
        "extra-links": ["airflow_agari_provider.operators.emr_step_link.EmrStepLink"],
        "operators": [
            {
                "integration-name": "Agari",
                "python-modules": [
                    "airflow_agari_provider.operators.avro_s3_import",
                    "airflow_agari_provider.operators.discrepancy_check",
                    "airflow_agari_provider.operators.emr_spark_scoring",
                    "airflow_agari_provider.operators.sqs_dead_letters",
                ],
            }
        ],
        "sensors": [
            {"integration-name": "Agari", "python-modules": ["airflow_agari_provider.sensors.sqs_drain"]},
        ],
        "triggers": [
            {
                "integration-name": "Agari",
                "python-modules": [
                    "airflow_agari_provider.triggers.spark_run",
                    "airflow_agari_provider.triggers.sqs_drain",
                ],
            }
        ],
    }
