"""
### Alerts maintenance

Look every five minutes at the SLA alerts that are open. Send the recoveries and alerts that got lost, tell which late
tasks have failed for good, tell what is late after a silence, and delete old rows.

Set `[agari] alerts_conn_id` to the connection that `set_slas` has in `claims="sql:<conn_id>"`. It is safe to run more
than one of these, and beside `agari alerts sweep`: each message is sent once.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow_agari_provider.airflow_compat import DAG, task

with DAG(
    "alerts_maintenance",
    description="Send what SLA alerts still have to tell, and delete old rows",
    schedule=timedelta(minutes=5),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(minutes=15),
    default_args={"owner": "airflow", "retries": 0, "execution_timeout": timedelta(minutes=10)},
    doc_md=__doc__,
    tags=["agari", "maintenance"],
) as dag:

    @task
    def sweep_alerts() -> dict[str, int]:
        """Sweep for up to four minutes; the next run goes on with what is left."""
        from airflow_agari_provider.slas.maintenance import sweep_alerts

        return sweep_alerts()

    sweep_alerts()
