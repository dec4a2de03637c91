"""Airflow provider for pipelines that score data with Spark on EMR and load it through S3, SNS and SQS."""

__version__ = "0.1.0"
