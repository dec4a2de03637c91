"""Describe the answers of the discrepancies' API for an OpenAPI document; docs/discrepancies_page.md explains them."""

from __future__ import annotations

from airflow_agari_provider.views.openapi import (
    BOOLEAN,
    INTEGER,
    NUMBER_OR_NULL,
    STRING,
    STRING_OR_NULL,
    TIME,
    Schema,
    array,
    columns,
    of,
)

INTEGER_OR_NULL: Schema = {"type": ["integer", "null"]}
UNTIL = {**NUMBER_OR_NULL, "description": "Epoch seconds; null: until now."}
COMPLETE = {**BOOLEAN, "description": "Whether there are no more runs than were read."}
_RUN: Schema = {
    "run_at": {**STRING, "description": "Date of the run, UTC, as text that sorts by time."},
    "run_id": STRING,
    "window": STRING,
    "verdict": {**STRING, "description": "ok, warning or high discrepancies."},
    "checked_at": TIME,
    "keys": INTEGER,
    "discrepant": {**INTEGER, "description": "Keys that differ by more than allowed."},
    "report_url": {**STRING_OR_NULL, "description": "Where the whole table is."},
    "report_link": {**STRING_OR_NULL, "description": "The same, in the console of AWS."},
}
CHECKS = of(
    now=TIME,
    since=TIME,
    until=UNTIL,
    complete=COMPLETE,
    note=STRING_OR_NULL,
    dag_ids=array(STRING),
    counts=of(
        checks=INTEGER,
        problems={**INTEGER, "description": "Checks that somebody should look at."},
        bad_windows={**INTEGER, "description": "Windows whose last check found discrepancies."},
        runs=INTEGER,
        bad={**INTEGER, "description": "Runs with discrepancies."},
        listed=INTEGER,
        hidden={**INTEGER, "description": "Checks of DAGs that the user may not read."},
    ),
    checks=columns(
        dag_id=STRING,
        task_id=STRING,
        runs=INTEGER,
        bad=INTEGER,
        warned=INTEGER,
        bad_windows=INTEGER,
        verdicts={**array(STRING), "description": "Of the newest 30 runs, the oldest first."},
        **{f"last_{name}": field for name, field in _RUN.items()},
    ),
)
RUNS = of(
    now=TIME,
    dag_id=STRING,
    task_id=STRING,
    since=TIME,
    until=UNTIL,
    complete=COMPLETE,
    older={**BOOLEAN, "description": "Whether there are runs that were checked before."},
    counts=of(stored=INTEGER, runs=INTEGER, bad=INTEGER, warned=INTEGER, bad_windows=INTEGER, keys=INTEGER),
    bad_windows=array(STRING),
    stages={**array(STRING), "description": "In the order of the pipeline."},
    runs=columns(
        **_RUN,
        alarms={**INTEGER, "description": "Differences beyond what is allowed."},
        good_stage={**STRING_OR_NULL, "description": "The stage before the first bad one."},
        bad_stage={**STRING_OR_NULL, "description": "The first stage that lost or gained messages; null: not known."},
        told=array(of(channel=STRING, kind=STRING, at=TIME)),
    ),
    totals={**array(array(INTEGER_OR_NULL)), "description": "For each stage, its total in each run."},
    band=of(
        stage={**STRING_OR_NULL, "description": "The stage whose usual volume this is."},
        low=array(NUMBER_OR_NULL),
        high=array(NUMBER_OR_NULL),
    ),
    keys=columns(key=STRING, runs={**INTEGER, "description": "Runs in which it alarmed or warned."}),
    cells=columns(
        run={**INTEGER, "description": "Index in runs."},
        key={**INTEGER, "description": "Index in keys."},
        comparison=STRING_OR_NULL,
        difference={**INTEGER, "description": "Positive: lost; negative: gained."},
        percent=NUMBER_OR_NULL,
        severity={**STRING, "description": "alarm, warn, recovered or none."},
        good_stage=STRING_OR_NULL,
        bad_stage=STRING_OR_NULL,
        counts={
            "anyOf": [array(INTEGER_OR_NULL), {"type": "null"}],
            "description": "Of each stage; null: not stored.",
        },
    ),
)
