"""What Airflow's provider manager reads about this package."""

from __future__ import annotations

from typing import Any

HOME = "https://github.com/airflow-agari-provider/airflow-agari-provider"


def get_provider_info() -> dict[str, Any]:
    """Name, description and modules of this provider; Airflow calls it in every process, so it imports nothing."""
    return {
        "package-name": "airflow-agari-provider",
        "name": "Agari",
        "description": "Score data with Spark on EMR, load it from S3 through SQS into a database, check its counts.",
        "integrations": [
            {"integration-name": "Agari", "external-doc-url": HOME, "tags": ["service"]},
            {
                "integration-name": "VictorOps (Splunk On-Call)",
                "external-doc-url": "https://help.victorops.com/knowledge-base/rest-endpoint-integration-guide/",
                "tags": ["service"],
            },
        ],
        "extra-links": ["airflow_agari_provider.operators.emr_step_link.EmrStepLink"],
        "operators": [
            {
                "integration-name": "Agari",
                "python-modules": [
                    "airflow_agari_provider.operators.avro_kinesis_import",
                    "airflow_agari_provider.operators.avro_s3_import",
                    "airflow_agari_provider.operators.discrepancy_check",
                    "airflow_agari_provider.operators.emr_spark_scoring",
                    "airflow_agari_provider.operators.spark_job_sweep",
                    "airflow_agari_provider.operators.sqs_dead_letter_purge",
                    "airflow_agari_provider.operators.sqs_dead_letters",
                    "airflow_agari_provider.operators.sqs_redrive",
                    "airflow_agari_provider.operators.sqs_scaling",
                ],
            }
        ],
        "hooks": [
            {
                "integration-name": "VictorOps (Splunk On-Call)",
                "python-modules": ["airflow_agari_provider.hooks.victorops"],
            },
        ],
        # The form of Airflow 3; that of 2.11 is in the hook.
        "connection-types": [
            {
                "connection-type": "victorops",
                "hook-class-name": "airflow_agari_provider.hooks.victorops.VictorOpsHook",
                "hook-name": "VictorOps (Splunk On-Call)",
                "conn-fields": {
                    "routing_key": {
                        "label": "Routing key",
                        "description": "Who gets the alerts, such as data-team.",
                        "schema": {"type": ["string", "null"]},
                    }
                },
                "ui-field-behaviour": {
                    "hidden-fields": ["login", "schema", "port", "extra"],
                    "relabeling": {"password": "API key", "host": "Endpoint"},
                    "placeholders": {"host": "https://alert.victorops.com", "routing_key": "data-team"},
                },
            }
        ],
        "notifications": [
            "airflow_agari_provider.notifications.slack_sla_miss.SlackSlaMissNotifier",
            "airflow_agari_provider.notifications.victorops_sla_miss.VictorOpsSlaMissNotifier",
        ],
        "config": {
            "agari": {
                "description": "Alerts of the Agari provider.",
                "options": {
                    "slack_url": {
                        "description": "Address of the Slack workspace, so that the page of the alerts links to the "
                        "messages themselves instead of to their channel.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "https://example.slack.com",
                        "default": "",
                    },
                    "environment": {
                        "description": "Name of the environment, before every alert and in the ids of incidents.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "EP_STAGE",
                        "default": "",
                    },
                    "alerts_conn_id": {
                        "description": "Connection to the database of the alerts' claims, as in claims='sql:<conn_id>' "
                        "of set_slas, for the page of alerts and the command agari.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "scoring_db",
                        "default": "",
                    },
                    "discrepancy_conn_id": {
                        "description": "Connection to the database of the checks' history, as in history_conn_id of "
                        "DiscrepancyCheckOperator, for the page of discrepancies.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "scoring_db",
                        "default": "",
                    },
                    "airflow_api_conn_id": {
                        "description": "Connection to Airflow 3's REST API (host, login, password), for `agari alerts "
                        "sweep` outside of a DAG.",
                        "version_added": "0.1.0",
                        "type": "string",
                        "example": "airflow_api",
                        "default": "",
                    },
                    "alerts_give_up_days": {
                        "description": "Days after which an alert whose task is still late is swept no more.",
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": None,
                        "default": "7",
                    },
                    "alerts_keep_days": {
                        "description": "Days after which the sweep deletes rows of claims and of silences.",
                        "version_added": "0.1.0",
                        "type": "float",
                        "example": None,
                        "default": "90",
                    },
                },
            }
        },
        "sensors": [
            {
                "integration-name": "Agari",
                "python-modules": [
                    "airflow_agari_provider.sensors.avro_s3_loaded",
                    "airflow_agari_provider.sensors.kinesis_lag",
                    "airflow_agari_provider.sensors.sqs_drain",
                ],
            },
        ],
        "triggers": [
            {
                "integration-name": "Agari",
                "python-modules": [
                    "airflow_agari_provider.triggers.spark_run",
                    "airflow_agari_provider.triggers.sqs_drain",
                    "airflow_agari_provider.triggers.sqs_redrive",
                ],
            }
        ],
    }
