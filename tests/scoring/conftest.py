from __future__ import annotations

from typing import Any

import pytest

from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from airflow_agari_provider.scoring.emr_cluster_jobs import EmrClusterJobs


@pytest.fixture
def jobs(emr_world: Any) -> EmrClusterJobs:
    emr_world.cluster("scoring", concurrency=2)
    return EmrClusterJobs(emr_world.connect, EmrCluster(name="scoring"))
