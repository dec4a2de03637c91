"""The first miss of a window at once, the others together at its end, each of them once."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

import pytest

from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.digest import DigestedDelivery, DigestWindow, window_of
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sender import AlertInDoubt, AlertPostponed, AlertRefused

WINDOW = DigestWindow("digest|telemetry|1", 300)


@dataclass
class Service:
    """:param taken: messages, as it has taken them; its history knows them by their keys."""

    failures: list = field(default_factory=list)
    taken: list = field(default_factory=list)
    history: dict = field(default_factory=dict)
    name = destination = "Service"
    safe_to_repeat = False
    repeats_when_in_doubt = True
    most_failures = 9

    def send(self, miss, key, in_doubt):
        failure = self.failures.pop(0) if self.failures else None
        if failure is None or failure == "taken, then the sender dies":
            self.taken.append(miss.text)
            self.history[key] = "reference"
        if failure in ("the sender dies", "taken, then the sender dies"):
            raise KeyboardInterrupt
        if failure:
            raise failure
        return "reference"

    def find(self, key, since, follows=""):
        return self.history.get(key)


@pytest.fixture
def service():
    return Service()


@pytest.fixture
def late(service, sqlite_path):
    """Makes the delivery of a task's miss, in a process of its own."""

    def make(task_id: str) -> tuple[DigestedDelivery, SlaMiss]:
        claims = ClaimTable(lambda: sqlite3.connect(sqlite_path), lease=120)
        miss = SlaMiss("telemetry", "run", task_id, "2016-02-26T18:00:00")
        return DigestedDelivery(service, f"key of {task_id}", claims, WINDOW), miss

    return make


@pytest.fixture
def misses(late, service):
    """Three of one digest, of which the first was told; the service takes no more."""
    found = [late(name) for name in ("first", "second", "third")]
    for delivery, miss in found:
        delivery.attempt(miss, 1000.0)
    service.failures = [AlertRefused("Service", "404")]
    return found


def told(task_id: str) -> str:
    return f"telemetry SLA Miss for task {task_id} on 2016-02-26T18:00:00"


def test_the_first_is_told_at_once_and_the_others_together(late, service):
    misses = [late(f"task_{number}") for number in range(4)]
    assert [delivery.attempt(miss, 1000.0) for delivery, miss in misses] == [None, 300, 300, 300]
    assert service.taken == [told("task_0")]
    assert [delivery.attempt(miss, 1300.0) for delivery, miss in misses[1:]] == [None, None, None]
    assert service.taken == [told("task_0"), "telemetry SLA Miss for 3 more"]
    assert [delivery.outcome for delivery, _ in misses] == [
        "sent",
        "digest sent",
        "digest sent already",
        "digest sent already",
    ]


def test_a_process_that_asks_again_hears_the_same(late, service):
    for _ in range(2):  # as Airflow 2.11 does at each check, and Airflow 3 in each triggerer
        for task_id, pause in (("first", None), ("second", 300)):
            delivery, miss = late(task_id)
            assert delivery.attempt(miss, 1000.0) == pause
    for task_id in ("first", "second", "second"):
        delivery, miss = late(task_id)
        assert delivery.attempt(miss, 1300.0) is None
    assert service.taken == [told("first"), "telemetry SLA Miss for 1 more"]


def test_misses_that_are_found_one_after_the_other_are_collected_from_the_first_on(late, service):
    """However long after they were due: the more are late, the longer Airflow takes."""
    misses = [late(f"task_{number}") for number in range(4)]
    pauses = [delivery.attempt(miss, 5000.0 + 60 * at) for at, (delivery, miss) in enumerate(misses)]
    assert pauses == [None, 240, 180, 120]
    assert [delivery.attempt(miss, 5300.0) for delivery, miss in misses[1:]] == [None, None, None]
    assert service.taken == [told("task_0"), "telemetry SLA Miss for 3 more"]


def test_what_comes_after_the_digest_is_told_alone(late, service):
    for task_id in ("first", "second"):
        delivery, miss = late(task_id)
        delivery.attempt(miss, 1000.0)
    delivery.attempt(miss, 1300.0)
    for _ in range(2):
        delivery, miss = late("straggler")
        assert delivery.attempt(miss, 1310.0) is None
    assert service.taken == [told("first"), "telemetry SLA Miss for 1 more", told("straggler")]


def test_what_came_in_is_not_told_and_the_others_are(late, service):
    (first, one), (second, two), (third, three) = [late(name) for name in ("first", "second", "third")]
    first.attempt(one, 1000.0)
    assert (second.attempt(two, 1000.0), third.attempt(three, 1000.0)) == (300, 300)
    assert second.attempt(None, 1300.0) is None
    assert third.attempt(three, 1300.0) is None
    assert service.taken == [told("first"), "telemetry SLA Miss for 2 more"]  # one of which is late no more


@pytest.mark.parametrize("death", ["the sender dies", "taken, then the sender dies"])
def test_a_sender_that_dies_loses_and_doubles_nothing(death, late, service):
    for task_id in ("first", "second", "third"):
        delivery, miss = late(task_id)
        delivery.attempt(miss, 1000.0)
    service.failures = [death]
    delivery, miss = late("second")
    with pytest.raises(KeyboardInterrupt):
        delivery.attempt(miss, 1300.0)
    delivery, miss = late("third")
    assert delivery.attempt(miss, 1310.0) == 2  # another sender seems to be about to send it
    assert delivery.attempt(miss, 1420.0) is None
    restarted, miss = late("second")
    assert restarted.attempt(miss, 1420.0) is None
    assert service.taken == [told("first"), "telemetry SLA Miss for 2 more"]


@pytest.mark.parametrize("failure", [AlertPostponed("Service", "429"), AlertInDoubt("Service", "no answer")])
def test_a_digest_that_is_not_taken_is_tried_again(failure, late, service):
    for task_id in ("first", "second"):
        delivery, miss = late(task_id)
        delivery.attempt(miss, 1000.0)
    service.failures = [failure]
    assert delivery.attempt(miss, 1300.0) == 2
    assert delivery.attempt(miss, 1302.0) is None
    assert service.taken == [told("first"), "telemetry SLA Miss for 1 more"]


def test_of_a_digest_that_is_refused_one_fallback_is_named(misses, service):
    for delivery, miss in misses[1:]:
        assert delivery.attempt(miss, 1300.0) is None
        assert delivery.refused
        assert delivery.instead(service).key == "digest|telemetry|1|digest|fallback"


def test_the_fallback_of_a_digest_tells_all_of_it_once(misses, service):
    for delivery, miss in misses[1:]:
        delivery.attempt(miss, 1300.0)
        assert delivery.instead(service).attempt(miss, 1300.0) is None
    assert service.taken == [told("first"), "telemetry SLA Miss for 2 more"]


def test_a_fallback_that_opens_incidents_tells_each_miss_of_a_digest(misses):
    pager = Service()
    pager.safe_to_repeat = True
    for delivery, miss in misses[1:]:
        delivery.attempt(miss, 1300.0)
        delivery.instead(pager).attempt(miss, 1300.0)
    assert pager.taken == [told("second"), told("third")]
    assert list(pager.history) == ["key of second|fallback", "key of third|fallback"]


def test_windows_lie_side_by_side():
    assert window_of("digest|telemetry", 1000.0, 300) == DigestWindow("digest|telemetry|300|3", 300)
    assert window_of("digest|telemetry", 1199.9, 300) == DigestWindow("digest|telemetry|300|3", 300)
    assert window_of("digest|telemetry", 1200.0, 300) == DigestWindow("digest|telemetry|300|4", 300)
