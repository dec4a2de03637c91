"""SLAs of tasks and runs, written once for Airflow 2.11 and 3: what a DAG file imports."""

from airflow_agari_provider.slas.set_slas import DAG_RUN, set_slas
from airflow_agari_provider.slas.sla_alert import SlaAlert

__all__ = ["DAG_RUN", "SlaAlert", "set_slas"]
