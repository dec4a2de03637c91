"""Describe the answer of the alerts' API for an OpenAPI document; docs/alerts_page.md explains what it means."""

from __future__ import annotations

from airflow_agari_provider.views.openapi import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    NUMBER_OR_NULL,
    SECONDS_OR_NULL,
    STRING,
    STRING_OR_NULL,
    TIME,
    TIME_OR_NULL,
    Schema,
    array,
    columns,
    of,
)

SILENCE: dict[str, Schema] = {
    "id": STRING,
    "dag_id": {**STRING, "description": "A DAG id, or a pattern with * and ?."},
    "task_id": {**STRING, "description": "A task id or a pattern; __dag_run__ is the run itself."},
    "environment": {**STRING, "description": "Pattern of the environments of alerts."},
    "since": TIME,
    "until": TIME,
    "who": STRING,
    "why": STRING,
    "may_end": {**BOOLEAN, "description": "Whether the user may end it before its time."},
}
INTEGER_OR_NULL: Schema = {"type": ["integer", "null"]}
TOLD = of(
    service=STRING,
    destination=STRING,
    state={**STRING, "description": "sent, doubtful, refused, silenced, collected or told (in a digest), sending..."},
    at=TIME,
    step={**NUMBER, "description": "Seconds after the SLA at which it is sent."},
    silence={**STRING, "description": "Of a silenced one: who silenced it, and why."},
    reference={**STRING, "description": "To what was sent, such as a Slack message."},
    recovery={**STRING, "description": "State of its recovery; empty if none was begun."},
)
SILENCES = of(
    now=TIME,
    environment={**STRING_OR_NULL, "description": "Of this Airflow, to which silences from here are limited."},
    dag_ids={**array(STRING), "description": "The DAGs that the user may silence."},
    may_silence_all={**BOOLEAN, "description": "Whether the user may silence all DAGs, and so patterns."},
    csrf_token={**STRING_OR_NULL, "description": "Airflow 2.11: the header X-CSRFToken of a POST."},
    silences=columns(**SILENCE),
)
A_SILENCE = of(now=TIME, **columns(**SILENCE)["properties"])
NEW_SILENCE: Schema = {
    "type": "object",
    "properties": {
        "dag_id": {**STRING, "description": "A DAG id, or a pattern with * and ?."},
        "task_id": {**STRING, "description": "A task id or a pattern; __dag_run__ is the run itself.", "default": "*"},
        "since": {**NUMBER_OR_NULL, "description": "Epoch seconds; default: now."},
        "until": TIME,
        "why": {**STRING, "description": "The reason, up to 1,000 characters."},
    },
    "required": ["dag_id", "until", "why"],
    "additionalProperties": False,
}
ALERTS = of(
    now=TIME,
    since=TIME,
    until={**NUMBER_OR_NULL, "description": "Epoch seconds: the end of a month; null: the window goes on."},
    complete={**BOOLEAN, "description": "Whether the window has no more alerts than were read."},
    note=STRING_OR_NULL,
    dag_ids=array(STRING),
    counts=of(
        open=INTEGER,
        incidents=INTEGER,
        missed=INTEGER,
        listed=INTEGER,
        unlisted={**INTEGER, "description": "Misses that the limit leaves out of the list."},
        hidden={**INTEGER, "description": "Misses of DAGs that the user may not read."},
        doubtful=INTEGER,
        refused=INTEGER,
        silenced=INTEGER,
    ),
    hit_rate=NUMBER_OR_NULL,
    p95_late_seconds=SECONDS_OR_NULL,
    misses=columns(
        environment=STRING,
        dag_id=STRING,
        run_id=STRING,
        task_id={**STRING_OR_NULL, "description": "null: the SLA of the run."},
        sla=STRING_OR_NULL,
        owner=STRING_OR_NULL,
        due=TIME,
        found=TIME,
        came_in=TIME_OR_NULL,
        late_seconds=SECONDS_OR_NULL,
        outcome={**STRING, "description": "open, came in, run deleted, or how else it was closed."},
        state={**STRING_OR_NULL, "description": "Of an open one: the state of the task or run in Airflow."},
        told=array(TOLD),
    ),
    slas=columns(
        environment=STRING,
        dag_id=STRING,
        task_id=STRING_OR_NULL,
        sla=STRING_OR_NULL,
        owner=STRING_OR_NULL,
        missed=INTEGER,
        open=INTEGER,
        runs=INTEGER_OR_NULL,
        hit_rate=NUMBER_OR_NULL,
        p95_late_seconds=SECONDS_OR_NULL,
        worst_late_seconds=SECONDS_OR_NULL,
    ),
    days=columns(start=TIME, missed=INTEGER),
)
