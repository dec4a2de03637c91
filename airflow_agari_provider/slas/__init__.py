"""SLAs of tasks and runs, written once for Airflow 2.11 and 3: what a DAG file imports."""

from airflow_agari_provider.alerts.history import FromHistory
from airflow_agari_provider.alerts.variable_sla import FromVariable
from airflow_agari_provider.slas.arguments import DAG_RUN
from airflow_agari_provider.slas.set_slas import set_slas
from airflow_agari_provider.slas.sla_alert import SlaAlert

__all__ = ["DAG_RUN", "FromHistory", "FromVariable", "SlaAlert", "set_slas"]
