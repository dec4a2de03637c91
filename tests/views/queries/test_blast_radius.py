"""What runs fed, read from metadata databases with rows as Airflow writes them."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from airflow_agari_provider.blast_radius.feeds import PARAM, Feeds
from airflow_agari_provider.exceptions import BadQuestion
from airflow_agari_provider.views.queries import asset_links as of_assets
from airflow_agari_provider.views.queries.blast_radius import blast_radius_of
from airflow_agari_provider.views.queries.tables import (
    ASSET,
    CODE,
    CONSUMER,
    CONSUMER_ASSET,
    EVENT,
    EVENT_ASSET,
    EVENT_QUEUE,
    EVENT_USE,
    QUEUED_ASSET,
    RUN,
    SERIALIZED,
    VERSION,
)
from tests.views.metadata_rows import EPOCH, at

HOUR = 3600
TRIGGER = ["trigger_dag_id", "trigger_run_id", "logical_date", "conf"]
EXTERNAL = ["external_dag_id", "external_task_id", "external_task_ids", "external_task_group_id"]
MARKER = ["external_dag_id", "external_task_id", "logical_date"]


class World:
    """A metadata database in which each name is this test's own."""

    def __init__(self, metadata, prefix):
        self.metadata, self.prefix = metadata, prefix
        self.numbers = {}

    def dag(self, name, *tasks, **values):
        """:param tasks: of the serialized DAG; ``None``: nothing of it is stored."""
        stored = [{"task_id": "load"}] if not tasks else None if tasks == (None,) else list(tasks)
        self.metadata.dag(self.prefix + name, stored, **values)

    def run(self, name, run_id, due=0, **values):
        self.numbers[name, run_id] = self.metadata.run(self.prefix + name, run_id, due, **values)

    def asset(self, name):
        number = self.metadata.numbers["asset"] = self.metadata.numbers.get("asset", 0) + 1
        self.metadata.add(ASSET, id=number, name=self.prefix + name, uri=self.prefix + name, group="asset", extra={})
        return number

    def event(self, asset, name, run_id, *got, task_id="load", when=60, map_index=-1):
        """Write an event. :param got: runs that got it."""
        number = self.metadata.numbers["event"] = self.metadata.numbers.get("event", 0) + 1
        source = {"source_dag_id": self.prefix + name, "source_run_id": run_id, "source_task_id": task_id}
        place = {EVENT_ASSET.name: asset, "timestamp": at(when), "source_map_index": map_index}
        self.metadata.add(EVENT, id=number, extra={}, **source, **place)
        for consumer in got:
            self.metadata.add(EVENT_USE, event_id=number, dag_run_id=self.numbers[consumer])

    def schedules(self, asset, name, since=0):
        times = {"created_at": at(since), "updated_at": at(since)}
        self.metadata.add(CONSUMER, **{CONSUMER_ASSET.name: asset}, dag_id=self.prefix + name, **times)

    def triggered(self, name, run_id, task_id, triggered, map_index=-1):
        tables = RUN.metadata.tables
        table = tables["xcom_v2"] if "xcom_v2" in tables else tables["xcom"]  # 3.4 keeps them by try
        of_run = {"dag_id": self.prefix + name, "run_id": run_id, "task_id": task_id, "map_index": map_index}
        tried = self.metadata.instance(self.prefix + name, run_id, task_id, 1, "success", map_index=map_index)
        value = json.dumps(triggered).encode() if VERSION is None else json.dumps(triggered)  # 2.11 keeps bytes
        of_run |= {"dag_run_id": self.numbers[name, run_id], "timestamp": at(0), "task_instance_id": tried}
        self.metadata.add(table, id=tried, key="trigger_run_id", value=value, **of_run)

    def file(self, name, text):
        """Write the text of a DAG's file."""
        row = self.metadata.session.execute(
            sa.select(SERIALIZED).where(SERIALIZED.c.dag_id == self.prefix + name)
        ).one()
        if VERSION is not None:
            values = {"id": row.dag_version_id, "dag_version_id": row.dag_version_id}
        else:
            place = self.metadata.numbers["file"] = self.metadata.numbers.get("file", 1000) + 1
            own = SERIALIZED.c.dag_id == self.prefix + name
            self.metadata.session.execute(SERIALIZED.update().where(own).values(fileloc_hash=place))
            values = {"fileloc_hash": place}
        times = {"created_at": at(0), "last_updated": at(0)}
        self.metadata.add(CODE, dag_id=row.dag_id, fileloc="dags.py", source_code=text, **values, **times)

    def ask(self, name, since=0, until=HOUR, *tasks):
        found = blast_radius_of(self.metadata.session, self.prefix + name, EPOCH + since, EPOCH + until, tasks)
        return Told(self.prefix, found)


class Told:
    """An answer, with the test's own names and without its prefix."""

    def __init__(self, prefix, found):
        self.found = found
        cut = len(prefix)
        self.runs = sorted(f"{key.dag_id[cut:]}/{key.run_id}" for key in found.runs)
        self.edges = sorted(
            (
                f"{one.run.dag_id[cut:]}/{one.run.run_id}",
                one.task,
                one.how,
                f"{one.to_run.dag_id[cut:]}/{one.to_run.run_id}",
            )
            for one in found.edges
        )
        self.unknown = sorted((one.kind, one.count) for one in found.unknown)
        self.texts = [one.text.replace(prefix, "") for one in found.unknown]
        self.tasks = {f"{key.dag_id[cut:]}/{key.run_id}": tasks for key, tasks in found.tasks.items()}


@pytest.fixture
def world(metadata, dag_id):
    return World(metadata, f"{dag_id}-")


def test_events_that_went_into_one_run_are_edges_of_each_run_that_emitted_one(world):
    for name in ("score", "report", "other"):
        world.dag(name)
    asset = world.asset("scored")
    world.schedules(asset, "report")
    for hour in range(3):
        world.run("score", f"h{hour}", hour * HOUR)
    asset_run = {"logical_date": None, "run_type": "asset_triggered"}
    world.run("report", "all", 3 * HOUR, **asset_run)
    world.run("other", "o", 0)
    for hour in range(3):
        world.event(asset, "score", f"h{hour}", ("report", "all"), when=hour * HOUR + 5)
    world.event(asset, "other", "o", ("report", "all"))
    told = world.ask("score", 0, 2 * HOUR)
    assert told.edges == [("score/h0", "load", "asset", "report/all"), ("score/h1", "load", "asset", "report/all")]
    assert told.unknown == []
    assert {one.what for one in told.found.edges} == {world.prefix + "scored"}


def test_only_events_of_the_bad_task_and_those_after_it_count(world):
    world.dag("score", {"task_id": "extract", "downstream_task_ids": ["load"]}, {"task_id": "load"}, {"task_id": "x"})
    world.dag("report")
    asset = world.asset("scored")
    world.run("score", "1")
    for number, task_id in enumerate(("extract", "load", "x")):
        world.run("report", f"r{number}", 10 + number)
        world.event(asset, "score", "1", ("report", f"r{number}"), task_id=task_id)
    assert world.ask("score", 0, HOUR, "load").runs == ["report/r1", "score/1"]
    assert world.ask("score", 0, HOUR, "extract").runs == ["report/r0", "report/r1", "score/1"]


def test_the_events_of_each_index_of_a_mapped_task_are_one_edge(world):
    world.dag("score")
    world.dag("report")
    asset = world.asset("scored")
    world.run("score", "1")
    world.run("report", "1", 60)
    for index in range(3):
        world.event(asset, "score", "1", ("report", "1"), map_index=index)
    assert world.ask("score").edges == [("score/1", "load", "asset", "report/1")]


@pytest.mark.parametrize("why", ["deleted", "paused", "waits", "later"])
def test_an_event_that_no_run_of_a_scheduled_dag_got_is_told(world, why):
    world.dag("score")
    world.dag("report", is_paused=why == "paused")
    asset = world.asset("scored")
    world.schedules(asset, "report", since=HOUR if why == "later" else 0)
    world.run("score", "1")
    world.event(asset, "score", "1")
    if why == "waits":
        queued = {QUEUED_ASSET.name: asset, "target_dag_id": world.prefix + "report", "created_at": at(60)}
        world.metadata.add(EVENT_QUEUE, **queued, asset_event_id=world.metadata.numbers["event"])
    told = world.ask("score")
    says = {"deleted": "was deleted", "paused": "It is paused", "waits": "waits for other assets", "later": None}[why]
    assert told.unknown == ([("not_consumed", 1)] if says else [])
    assert not says or says in told.texts[0]


def test_too_many_events_are_told(world, monkeypatch):
    monkeypatch.setattr(of_assets, "MOST_EVENTS", 2)
    world.dag("score")
    asset = world.asset("scored")
    world.run("score", "1")
    for _ in range(3):
        world.event(asset, "score", "1")
    assert ("too_many", 1) in world.ask("score").unknown


def trigger(task_id="start", dag=None, **more):
    return {"task_id": task_id, "template_fields": TRIGGER, **({"trigger_dag_id": dag} if dag else {}), **more}


def test_triggered_runs_are_found_by_the_id_that_the_task_kept(world):
    world.dag("score", trigger("start", world.prefix + "report"))
    world.dag("report")
    world.run("score", "1")
    world.run("report", "manual__1", 60, run_type="manual")
    world.run("report", "manual__2", 61, run_type="manual")
    world.run("report", "manual__3", 62, run_type="manual")
    world.triggered("score", "1", "start", "manual__1", map_index=0)
    world.triggered("score", "1", "start", "manual__3", map_index=1)
    told = world.ask("score")
    assert told.edges == [
        ("score/1", "start", "trigger", "report/manual__1"),
        ("score/1", "start", "trigger", "report/manual__3"),
    ]
    assert told.unknown == []


def test_a_triggered_run_that_is_gone_is_told(world):
    world.dag("score", trigger("start", world.prefix + "report"))
    world.run("score", "1")
    world.triggered("score", "1", "start", "manual__1")
    told = world.ask("score")
    assert (told.edges, told.unknown) == ([], [("no_run", 1)])
    assert told.texts == ["Run manual__1 of DAG report is gone; task start of DAG score triggered it."]


@pytest.mark.parametrize(
    ("state", "unknown"), [("success", [("no_link", 1)]), ("skipped", []), ("failed", []), (None, [])]
)
def test_a_task_that_triggered_a_run_and_kept_nothing_is_told(world, state, unknown):
    world.dag("score", trigger("start", world.prefix + "report"))
    world.run("score", "1")
    world.metadata.instance(world.prefix + "score", "1", "start", 1, state)
    assert world.ask("score").unknown == unknown


def sensor(task_id="wait", dag="score", **more):
    return {"task_id": task_id, "template_fields": EXTERNAL, "external_dag_id": dag, **more}


@pytest.mark.parametrize(
    ("text", "run", "guess"),
    [
        ("a file", "report/same", False),
        ('ExternalTaskSensor(task_id="wait", execution_delta=timedelta(hours=1))', "report/later", False),
        ('ExternalTaskSensor(task_id="wait", execution_delta=DELTA)', "report/same", True),
        (None, "report/same", True),
    ],
    ids=["no offset", "an hour", "unknown", "no file"],
)
def test_a_sensor_waits_for_the_run_of_its_date(world, text, run, guess):
    world.dag("score")
    world.dag(
        "report",
        sensor(dag=world.prefix + "score", downstream_task_ids=["tell"]),
        {"task_id": "tell"},
        {"task_id": "x"},
    )
    if text:
        world.file("report", text)
    world.run("score", "1", 0)
    world.run("report", "before", -HOUR)
    world.run("report", "same", 0)
    world.run("report", "later", HOUR)
    told = world.ask("score")
    assert told.edges == [("score/1", "", "sensor", run)]
    assert told.tasks[run] == {"wait", "tell"}
    assert [one.guess for one in told.found.edges] == [guess]
    assert told.unknown == ([("guess", 1)] if guess else [])


def test_a_sensor_of_another_task_does_not_wait(world):
    world.dag("score", {"task_id": "load"}, {"task_id": "x"})
    world.dag("report", sensor(dag=world.prefix + "score", external_task_ids=["x"]))
    world.file("report", "")
    world.run("score", "1")
    world.run("report", "1")
    assert world.ask("score", 0, HOUR, "load").runs == ["score/1"]
    assert world.ask("score", 0, HOUR, "x").edges == [("score/1", "x", "sensor", "report/1")]


@pytest.mark.parametrize(("due", "unknown"), [(-HOUR, []), (5 * HOUR, [("purged", 2)])], ids=["daily", "purged"])
def test_a_dag_without_a_run_of_the_date_lacks_one_only_if_it_has_no_older_one(world, due, unknown):
    world.dag("score")
    world.dag("report", sensor(dag=world.prefix + "score"))
    world.file("report", "")
    world.run("score", "1", 0)
    world.run("score", "2", HOUR)
    world.run("report", "1", due)
    told = world.ask("score", 0, 2 * HOUR)
    assert (told.edges, told.unknown) == ([], unknown)


def marker(dag, date="{{ logical_date.isoformat() }}"):
    more = {"external_dag_id": dag, "external_task_id": "load", "logical_date": date, "recursion_depth": 10}
    return {"task_id": "mark", "template_fields": MARKER, **more}


@pytest.mark.parametrize(("date", "unknown"), [(None, []), ("{{ ds }}", [("no_link", 1)])], ids=["same date", "other"])
def test_a_marker_names_a_task_of_the_run_of_its_date(world, date, unknown):
    world.dag("score", marker(world.prefix + "report", date or "{{ logical_date.isoformat() }}"))
    world.dag("report", {"task_id": "first", "downstream_task_ids": ["load"]}, {"task_id": "load"})
    world.run("score", "1")
    world.run("report", "1")
    told = world.ask("score")
    assert told.edges == ([("score/1", "mark", "marker", "report/1")] if date is None else [])
    assert told.tasks.get("report/1") == ({"load"} if date is None else None)
    assert told.unknown == unknown


def test_declared_runs_are_those_of_the_window(world):
    """``EPOCH`` is 20:26:40 of its day."""
    feeds = Feeds("scored/", world.prefix + "report", "day of")
    stored = json.dumps([vars(feeds)])
    world.dag("score", {"task_id": "load", "params": [[PARAM, {"default": stored}]]})
    world.dag("report")
    world.run("score", "1", 0)
    world.run("score", "2", HOUR)
    for name, due in {"yesterday": -21 * HOUR, "today": -20 * HOUR, "late": 3 * HOUR, "tomorrow": 4 * HOUR}.items():
        world.run("report", name, due)
    told = world.ask("score", 0, 2 * HOUR)
    assert told.edges == [
        (f"score/{number}", "load", "declared", f"report/{name}") for number in "12" for name in ("late", "today")
    ]
    assert told.unknown == []


def test_what_is_stored_of_a_dag_is_of_the_version_that_ran(world):
    """2.11 stores the newest version alone."""
    world.dag("score", {"task_id": "old", "downstream_task_ids": ["load"]}, {"task_id": "load"})
    version = None
    if VERSION is not None:
        version = world.metadata.session.execute(
            sa.select(VERSION.c.id).where(VERSION.c.dag_id == world.prefix + "score")
        )
        version = version.scalar_one()
    world.run("score", "1", created_dag_version_id=version)
    assert world.ask("score", 0, HOUR, "old").tasks == {"score/1": {"old", "load"}}


def test_dags_that_feed_each_other_and_a_dag_that_is_gone_are_told(world):
    world.dag("a")
    world.dag("b", is_stale=True, is_active=False)
    world.dag("c", None)
    asset = world.asset("x")
    for number in range(2):
        world.run("a", f"{number}", number * 10)
        world.run("b", f"{number}", number * 10 + 5)
    world.run("c", "0", 20)
    world.event(asset, "a", "0", ("b", "0"))
    world.event(asset, "b", "0", ("a", "1"))
    world.event(asset, "a", "1", ("b", "1"), ("c", "0"))
    told = world.ask("a", 0, 5)
    assert told.runs == ["a/0", "a/1", "b/0", "b/1", "c/0"]
    assert told.unknown == [("cycle", 1), ("dag_gone", 1), ("dag_gone", 1)]


def test_a_window_before_the_oldest_run_is_told(world):
    world.dag("score")
    world.run("score", "1", 5 * HOUR)
    assert world.ask("score", 0, 6 * HOUR).unknown == [("purged", 1)]
    assert world.ask("score", 5 * HOUR, 6 * HOUR).unknown == []
    assert world.ask("score", 5 * HOUR + 1, 6 * HOUR).unknown == [("no_run", 1)]


def test_a_dag_that_is_not_there_is_an_error(world):
    with pytest.raises(BadQuestion, match="knows no DAG"):
        world.ask("nobody")


def test_a_level_is_a_few_statements_however_many_runs_it_has(world):
    """Each list of 500 runs is one; nothing is asked run by run."""
    world.dag("score", trigger("start", world.prefix + "report"))
    world.dag("report", sensor("wait", world.prefix + "score"))
    world.file("report", "")
    counts = {}
    for many in (2, 40):
        for number in range(many):
            world.run("score", f"{many}-{number}", many * HOUR + number)
            world.run("report", f"{many}-{number}", many * HOUR + number)
            world.triggered("score", f"{many}-{number}", "start", f"{many}-{number}")
        counts[many] = _statements(world, many)
    assert counts[2] == counts[40] < 40


def _statements(world, many):
    seen = []

    def look(connection, cursor, statement, parameters, context, executemany):
        seen.append(statement)

    sa.event.listen(world.metadata.engine, "before_cursor_execute", look)
    try:
        told = world.ask("score", many * HOUR, (many + 1) * HOUR)
    finally:
        sa.event.remove(world.metadata.engine, "before_cursor_execute", look)
    assert len(told.runs) == 2 * many
    return len(seen)
