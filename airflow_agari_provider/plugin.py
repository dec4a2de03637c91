"""The plugin Airflow loads in every one of its processes: it must stay light."""

from __future__ import annotations

from airflow_agari_provider.airflow_compat import AirflowPlugin


class AgariPlugin(AirflowPlugin):
    """Registers what this package adds to Airflow's web pages."""

    name = "agari"
