"""Arguments of ``run_job_flow`` for a new cluster."""

from __future__ import annotations

from typing import Any

CREATE: dict[str, Any] = {
    "ReleaseLabel": "emr-7.9.0",
    "Instances": {"MasterInstanceType": "m5.xlarge", "InstanceCount": 1},
    "Tags": [{"Key": "team", "Value": "telemetry"}],
}
