"""Where a job can run. Each target says so in its own class; this is all of them."""

from __future__ import annotations

from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_on_eks import EmrOnEks
from airflow_agari_provider.scoring.emr_serverless import EmrServerless
from airflow_agari_provider.scoring.livy import LivySpark
from airflow_agari_provider.scoring.standalone import StandaloneSpark

__all__ = ["EmrCluster", "EmrOnEks", "EmrServerless", "LivySpark", "SparkTarget", "StandaloneSpark"]

SparkTarget = EmrCluster | EmrServerless | EmrOnEks | LivySpark | StandaloneSpark
