"""Describe the charts' answers and errors for an OpenAPI document; docs/charts_api.md explains what they mean."""

from __future__ import annotations

from typing import Any, TypeAlias

from airflow_agari_provider.charts.outcomes import STANDS

Schema: TypeAlias = dict[str, Any]

STRING, INTEGER, NUMBER, BOOLEAN = ({"type": name} for name in ("string", "integer", "number", "boolean"))
STRING_OR_NULL, NUMBER_OR_NULL = ({"type": [name, "null"]} for name in ("string", "number"))
TIME = {**NUMBER, "description": "Epoch seconds."}
TIME_OR_NULL = {**NUMBER_OR_NULL, "description": "Epoch seconds; null: not known, or has not happened yet."}
SECONDS = {**NUMBER, "description": "Seconds."}
SECONDS_OR_NULL = {**NUMBER_OR_NULL, "description": "Seconds; null: not known."}


def of(**fields: Schema) -> Schema:
    """Return the schema of an object; later versions may add fields."""
    return {"type": "object", "properties": fields, "required": list(fields)}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def columns(**fields: Schema) -> Schema:
    """Return the schema of arrays of the same length: the values at the same index belong together."""
    return of(**{name: array(field) for name, field in fields.items()})


SUMS: Schema = {
    "total_seconds": {**SECONDS, "description": "Running time of all tries, including failed ones."},
    "lost_seconds": {**SECONDS, "description": "Running time of failed tries."},
    "idle_seconds": {**SECONDS_OR_NULL, "description": "Between the end of a try and the scheduling of the next."},
    "queued_seconds": {**SECONDS_OR_NULL, "description": "Between scheduling and start."},
    "deferred_seconds": {**SECONDS_OR_NULL, "description": "Waiting without a worker."},
    "p95_seconds": SECONDS_OR_NULL,
}
FIGURES = of(**SUMS, retry_rate=NUMBER_OR_NULL, median_seconds=SECONDS_OR_NULL)
RUNS_BY_STATE = columns(success=INTEGER, failed=INTEGER, running=INTEGER, queued=INTEGER)
TRIES = of(
    now=TIME,
    dag_id=STRING,
    display_name={**STRING, "description": "What Airflow shows instead of the id."},
    window=of(
        shown=INTEGER,
        total=INTEGER,
        first=TIME_OR_NULL,
        last=TIME_OR_NULL,
        older=BOOLEAN,
        newer=BOOLEAN,
        before=STRING_OR_NULL,
        after=STRING_OR_NULL,
        purged_before=TIME_OR_NULL,
        text=STRING,
    ),
    runs=columns(
        run_id=STRING,
        run_after=TIME,
        logical_date=TIME_OR_NULL,
        run_type=STRING,
        state=STRING,
        queued_at=TIME_OR_NULL,
        start=TIME_OR_NULL,
        end=TIME_OR_NULL,
        deadline=TIME_OR_NULL,
        deadline_missed=BOOLEAN,
    ),
    tasks=columns(
        task_id=STRING,
        display_name=STRING,
        operator=STRING_OR_NULL,
        mapped=BOOLEAN,
        sla=SECONDS_OR_NULL,
        downstream={**array(INTEGER), "description": "Indexes of the tasks that come next."},
    ),
    outcomes=array(STRING),
    tries=columns(
        run={**INTEGER, "description": "Index in runs."},
        task={**INTEGER, "description": "Index in tasks."},
        try_number=INTEGER,
        outcome={**INTEGER, "description": "Index in outcomes."},
        start=TIME,
        end=TIME_OR_NULL,
        run_seconds=SECONDS,
        idle_seconds=SECONDS_OR_NULL,
        queued_seconds=SECONDS_OR_NULL,
        deferred_seconds=SECONDS_OR_NULL,
        instances=INTEGER,
        map_index=INTEGER,
        last=BOOLEAN,
        counted={
            **INTEGER,
            "description": "0: in no figure. 1: in sums. 2: in sums, medians, percentiles and changes.",
        },
        end_unknown={
            **BOOLEAN,
            "description": "It has ended, but Airflow recorded no end; end is the latest possible.",
        },
    ),
    blocked={
        **columns(run=INTEGER, task=INTEGER, instances=INTEGER),
        "description": "Task instances that could not start, as a task before them failed (upstream_failed).",
    },
    figures=of(**FIGURES["properties"], before={"anyOf": [FIGURES, {"type": "null"}]}),
    task_figures=array(
        of(
            task=INTEGER,
            tries=INTEGER,
            runs=INTEGER,
            retried_runs=INTEGER,
            **SUMS,
            p50_seconds=SECONDS_OR_NULL,
            trend_percent=NUMBER_OR_NULL,
        )
    ),
    shifts=array(of(task=INTEGER, kind=STRING, run=INTEGER, before=NUMBER, after=NUMBER, text=STRING)),
)
DAYS = of(
    now=TIME,
    dag_id=STRING,
    since=TIME,
    until=TIME,
    time_zone=STRING,
    days=of(
        **columns(
            date={**STRING, "description": "Of the time zone, such as 2026-11-20; days without runs are left out."},
            start=TIME,
            end=TIME,
            failed_tries={"type": ["integer", "null"], "description": "null: too many to count."},
            lost_seconds=SECONDS_OR_NULL,
        )["properties"],
        runs=RUNS_BY_STATE,
    ),
)
INDEXES = of(
    now=TIME,
    dag_id=STRING,
    run_id=STRING,
    task_id=STRING,
    total={**INTEGER, "description": "Indexes that started."},
    failed={**INTEGER, "description": "Indexes whose newest try failed."},
    retried={**INTEGER, "description": "Indexes with more than one try."},
    median_seconds=SECONDS_OR_NULL,
    p95_seconds=SECONDS_OR_NULL,
    histogram={
        **columns(from_seconds=SECONDS, indexes=INTEGER),
        "description": "How many indexes took so long or longer, and less than the next; the last has no end.",
    },
    indexes={
        **columns(
            map_index=INTEGER,
            label=STRING_OR_NULL,
            outcome=STRING,
            tries=INTEGER,
            failed_tries=INTEGER,
            start=TIME,
            end=TIME_OR_NULL,
            run_seconds=SECONDS,
            lost_seconds=SECONDS,
            waited_seconds=SECONDS_OR_NULL,
        ),
        "description": "At most 2,000: those that failed, then those that were retried, then the slowest.",
    },
)
OVERVIEW = of(
    now=TIME,
    days=INTEGER,
    since=TIME,
    first_run=TIME_OR_NULL,
    dags=of(
        **columns(
            dag_id=STRING,
            display_name=STRING,
            paused=BOOLEAN,
            owners=array(STRING),
            tags=array(STRING),
            team={**STRING_OR_NULL, "description": "Of an Airflow of several teams; null: none."},
            last_run=TIME_OR_NULL,
            last_state={**STRING_OR_NULL, "description": "Of the newest run in the window; null: there is none."},
            failed_tries=INTEGER,
            lost_seconds=SUMS["lost_seconds"],
            failures=INTEGER,
            oldest_failed_try=TIME_OR_NULL,
            active=INTEGER,
        )["properties"],
        ever=RUNS_BY_STATE,
        window=RUNS_BY_STATE,
    ),
)
ACTIVE = of(
    now=TIME,
    total={**INTEGER, "description": "Task instances under way; at most 500 of them are in tasks."},
    more={**BOOLEAN, "description": "There are more than were read."},
    tasks=columns(
        dag_id=STRING,
        run_id=STRING,
        task_id=STRING,
        map_index=INTEGER,
        state=STRING,
        try_number=INTEGER,
        since=TIME_OR_NULL,
        median_seconds=SECONDS_OR_NULL,
        p95_seconds=SECONDS_OR_NULL,
        longer_than_usual={"type": ["boolean", "null"]},
        expected_end=TIME_OR_NULL,
        pool=STRING,
        queue=STRING_OR_NULL,
        executor=STRING_OR_NULL,
    ),
    pools=columns(
        pool=STRING,
        slots={"type": ["integer", "null"]},
        slots_taken=INTEGER,
        queued=INTEGER,
        scheduled=INTEGER,
    ),
)
TASK_TIME = of(
    now=TIME,
    days=INTEGER,
    dags=of(
        **columns(dag_id=STRING, started=INTEGER, retried=INTEGER, total_seconds=SUMS["total_seconds"])["properties"],
        newest_run={
            **columns(**dict.fromkeys(STANDS, INTEGER)),
            "description": "Task instances of the newest run in the window, by state.",
        },
    ),
)
ERROR = of(detail={**STRING, "description": "What is wrong and what to do."})
ERRORS = {
    401: "Not logged in.",
    403: "The user may not read this DAG's runs and task instances.",
    422: "A parameter is out of its bounds, or the answer would be too large.",
    503: "The database did not answer in time.",
}
LOGINS = {
    "token": {"type": "http", "scheme": "bearer", "description": "From POST /auth/token of Airflow."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "_token", "description": "Set by a login in a browser."},
}


def change(
    description: str, schema: Schema, body: Schema | None = None, status: int = 200, **errors: str
) -> dict[str, Any]:
    """Return what FastAPI takes for a route that changes something. :param body: schema of the request's body."""
    found = responses(description, schema, _413="The body is too large.", _415="The body is no JSON.", **errors)
    found = {status: found.pop(200), **{code: told for code, told in found.items() if code != 304}}
    content = {"requestBody": {"required": True, **_json(body)}} if body else {}
    return {"responses": found, "openapi_extra": content}


def responses(description: str, schema: Schema, **errors: str) -> dict[int | str, Schema]:
    """Return the responses of one route. :param errors: status, such as ``_404``, and text of its own errors."""
    all_errors = ERRORS | {int(name.lstrip("_")): text for name, text in errors.items()}
    return {
        200: {"description": description, **_json(schema)},
        304: {"description": "The answer that If-None-Match names has not changed."},
        **{status: {"description": text, **_json(ERROR)} for status, text in sorted(all_errors.items())},
    }


def _json(schema: Schema) -> Schema:
    return {"content": {"application/json": {"schema": schema}}}


def document(found: Schema, root: str) -> Schema:
    """Return the whole document. :param found: the document as FastAPI makes it. :param root: path of the app."""
    components = {**found.get("components", {}), "securitySchemes": LOGINS}
    security: list[Schema] = [{name: []} for name in LOGINS]
    return {**found, "servers": [{"url": root}], "components": components, "security": security}
