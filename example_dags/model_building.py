"""
### Model building

Every day, learn which sending domains and networks can be trusted. The hourly DAG `message_scoring` scores the day's
messages with this model.

| step | task | |
|---|---|---|
| 3 | `build_trust_model` | learn from the days before which domains and networks to trust |

The model of a day is in `models/dt=2016-04-28/` of the bucket. Each run, and each clear, writes to a folder of its own
in it, so that no scoring reads a model that is being replaced. The newest complete one counts.

The run starts half an hour after midnight UTC, because the day's last hour is archived shortly after midnight. The
first scoring of the new day starts at 01:00. If the model is not there by then, the scoring builds one of its own.

Connection: `aws_default`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from scoring_pipeline import (
    BUCKET,
    BUCKET_PARAMS,
    DEFAULT_ARGS,
    MODEL_PARAMS,
    Window,
    archive_urls,
    in_utc,
    run_folder,
    trust_model,
)

from airflow_agari_provider.airflow_compat import DAG, CronDataIntervalTimetable, Param


def day_of(dag_run: Any, params: Any) -> Window:
    """Return the day that the model is for: the parameter's, otherwise the day on which the run is due."""
    named = params["model_day"]
    day = datetime.fromisoformat(named) if named else dag_run.data_interval_end or dag_run.run_after
    start = in_utc(day).replace(hour=0, minute=0, second=0, microsecond=0)
    return Window(start, start + timedelta(days=1))


with DAG(
    dag_id="model_building",
    description="Build the trust model of the day with Spark on EMR",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable("30 0 * * *", timezone="UTC"),
    start_date=datetime(2016, 4, 28, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    user_defined_macros={"day_of": day_of, "archive_urls": archive_urls, "run_folder": run_folder},
    tags=["agari", "example"],
    params={
        "model_day": Param(
            None, type=["null", "string"], description="Day of the model, UTC, ISO 8601; empty: the run's own day"
        ),
        **MODEL_PARAMS,
        **BUCKET_PARAMS,
    },
) as dag:
    DAY = "day_of(dag_run, params)"
    trust_model(
        DAY,
        f"{BUCKET}/models/{{{{ {DAY}.folders()[0] }}}}{{{{ run_folder(ti) }}}}/",
        "**3.** Learn from the days before which domains and networks to trust.",
    )
