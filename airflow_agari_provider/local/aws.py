"""An AWS of one's own: moto over HTTP on 127.0.0.1, whose EMR steps ``emr_runner`` really runs."""

from __future__ import annotations

from airflow_agari_provider.local.emr_api import patch_emr

__all__ = ["patch_emr"]
