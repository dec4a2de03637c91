from __future__ import annotations

import pickle
import sqlite3
from dataclasses import dataclass, field

import pytest

from airflow_agari_provider.alerts.alert_database import ClaimsUnavailable
from airflow_agari_provider.alerts.claims import Claim, ClaimTable
from airflow_agari_provider.alerts.delivery import Delivery
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sender import AlertInDoubt, AlertPostponed, AlertRefused, CannotLook

MISS = SlaMiss("dag", "run", "task", "2016-02-26T18:00:00")
POSTPONED = AlertPostponed("Service", "it answered 503")
IN_DOUBT = AlertInDoubt("Service", "no answer")


@dataclass
class Service:
    """A service on a network that fails as told. :param failures: of the next sends; ``None`` stands for success."""

    failures: list = field(default_factory=list)
    takes_when_in_doubt: bool = False
    shows: bool = True
    failures_of_find: list = field(default_factory=list)
    repeats_when_in_doubt: bool = True
    safe_to_repeat: bool = False
    most_failures: float = 9
    name: str = "Service"
    taken: list = field(default_factory=list)

    def send(self, miss, key, in_doubt):
        failure = self.failures.pop(0) if self.failures else None
        if failure is None or (failure is IN_DOUBT and self.takes_when_in_doubt):
            self.taken.append((key, "in doubt" if in_doubt else "miss"))
        if failure:
            raise failure
        return "reference"

    def find(self, key, since, follows=""):
        if self.failures_of_find:
            raise self.failures_of_find.pop()
        if not self.shows:
            raise CannotLook("it does not show")
        return "found" if any(taken == key for taken, _ in self.taken) else None

    def follow_up(self, miss, key, reference):
        self.taken.append((key, f"follows {reference}"))
        return "follow-up"


@pytest.fixture(params=["claims", "no claims"])
def claims(request, sqlite_path):
    return ClaimTable(lambda: sqlite3.connect(sqlite_path)) if request.param == "claims" else None


def drive(delivery, miss=MISS):
    """The pauses asked for until it is over."""
    now, pauses = 1000.0, []
    while (pause := delivery.attempt(miss, now)) is not None:
        pauses.append(pause)
        now += pause
    return pauses


@pytest.mark.parametrize("safe", [True, False], ids=["safe to repeat", "another service"])
def test_what_is_safe_to_repeat_waits_less_for_an_owner_that_died(safe, sqlite_path):
    dead, other = (ClaimTable(lambda: sqlite3.connect(sqlite_path), owner) for owner in ("dead", "other"))
    dead.claim("key", 1000.0)
    service = Service(shows=False, safe_to_repeat=safe)
    delivery = Delivery(service, "key", other)
    assert delivery.attempt(MISS, 1029.0) is not None
    assert (delivery.attempt(MISS, 1031.0) is None) == safe
    assert service.taken == ([("key", "in doubt")] if safe else [])
    assert delivery.attempt(MISS, 1121.0) is None
    assert len(service.taken) == 1


def test_an_alert_is_sent_once(claims):
    service = Service()
    delivery = Delivery(service, "key", claims)
    assert drive(delivery) == []
    assert delivery.outcome == "sent"
    assert service.taken == [("key", "miss")]


def test_what_is_postponed_is_tried_again_ever_more_slowly(claims):
    service = Service([POSTPONED] * 7)
    assert drive(Delivery(service, "key", claims)) == [2, 4, 8, 16, 32, 60, 60]
    assert service.taken == [("key", "miss")]


@pytest.mark.parametrize("error", [AlertPostponed, AlertInDoubt])
def test_a_service_that_asks_for_time_gets_it(error, claims):
    assert drive(Delivery(Service([error("Slack", "too many", 30)]), "key", claims)) == [30]


def test_a_service_that_asks_for_hours_is_asked_again_before_the_alert_is_given_up(claims):
    assert drive(Delivery(Service([AlertPostponed("Slack", "too many", 4000)]), "key", claims)) == [900]


def test_a_second_process_waits_as_long_as_the_service_asked_the_first_to(sqlite_path):
    def delivery():
        return Delivery(service, "key", ClaimTable(lambda: sqlite3.connect(sqlite_path)))

    service = Service([AlertPostponed("Slack", "too many", 30)])
    assert delivery().attempt(MISS, 1000.0) == 30
    assert delivery().attempt(MISS, 1029.0) == 2
    assert service.taken == []
    assert delivery().attempt(MISS, 1030.0) is None
    assert service.taken == [("key", "miss")]


def test_a_doubtful_alert_that_was_taken_is_not_sent_again(claims):
    service = Service([IN_DOUBT], takes_when_in_doubt=True)
    delivery = Delivery(service, "key", claims)
    assert drive(delivery) == [2]
    assert delivery.outcome == "found sent"
    assert service.taken == [("key", "miss")]


def test_a_doubtful_alert_that_was_not_taken_is_sent(claims):
    service = Service([IN_DOUBT])
    assert drive(Delivery(service, "key", claims)) == [2]
    assert service.taken == [("key", "miss")]


def test_a_look_that_is_postponed_leaves_the_doubt(claims):
    service = Service([IN_DOUBT], takes_when_in_doubt=True, failures_of_find=[AlertPostponed("Service", "429", 60)])
    assert drive(Delivery(service, "key", claims)) == [2, 60]
    assert service.taken == [("key", "miss")]


def test_a_doubtful_alert_is_sent_again_and_says_so(claims):
    service = Service([IN_DOUBT], takes_when_in_doubt=True, shows=False)
    drive(Delivery(service, "key", claims))
    assert service.taken == [("key", "miss"), ("key", "in doubt")]


def test_or_it_is_not_sent_again_where_that_is_preferred(claims):
    service = Service([IN_DOUBT], takes_when_in_doubt=True, shows=False, repeats_when_in_doubt=False)
    delivery = Delivery(service, "key", claims)
    drive(delivery)
    assert service.taken == [("key", "miss")]
    assert delivery.outcome == "may have been sent; not repeated"


def test_what_may_have_been_sent_is_told_as_recovered_when_it_is_no_longer_true(sqlite_path):
    claims = ClaimTable(lambda: sqlite3.connect(sqlite_path))
    delivery = Delivery(Service([IN_DOUBT], takes_when_in_doubt=True, shows=False), "key", claims)
    delivery.attempt(MISS, 1000.0)
    assert delivery.attempt(None, 1002.0) is None
    assert delivery.outcome == "may have been sent; not repeated"
    assert claims.sent("key") == Claim("sent", 1000.0)


def test_a_sender_that_leaves_doubt_is_called_no_more_often_than_it_bears(claims):
    service = Service([IN_DOUBT] * 9, takes_when_in_doubt=True, shows=False, most_failures=3)
    delivery = Delivery(service, "key", claims)
    assert drive(delivery) == [2, 4]
    assert delivery.refused
    assert len(service.taken) == 3


def test_also_by_processes_that_know_nothing_of_each_other(sqlite_path):
    service = Service([IN_DOUBT] * 9, takes_when_in_doubt=True, shows=False, most_failures=3)
    for check in range(9):
        delivery = Delivery(service, "key", ClaimTable(lambda: sqlite3.connect(sqlite_path)))
        delivery.attempt(MISS, 1000.0 + 30 * check)
    assert len(service.taken) == 3
    assert delivery.outcome == "refused already"


def no_database():
    raise sqlite3.OperationalError("unable to open database file")


@pytest.mark.parametrize(("safe_to_repeat", "seconds"), [(True, 30), (False, 180)], ids=["page", "message"])
def test_without_its_claims_an_alert_is_sent_after_a_while_and_says_that_it_may_come_twice(
    safe_to_repeat, seconds, caplog
):
    service = Service(safe_to_repeat=safe_to_repeat)
    delivery = Delivery(service, "key", ClaimTable(no_database), since=1000.0)
    with pytest.raises(ClaimsUnavailable, match="OperationalError: unable to open database file"):
        delivery.attempt(MISS, 999.0 + seconds)
    assert delivery.attempt(MISS, 1000.0 + seconds) == 30  # then it is recorded
    assert delivery.attempt(MISS, 1030.0 + seconds) == 30
    assert (delivery.outcome, service.taken) == ("sent", [("key", "in doubt")])
    assert [record.levelname for record in caplog.records].count("ERROR") == 1


def test_what_was_sent_without_its_claims_is_recorded_when_they_are_back(sqlite_path):
    down, service = [True], Service()

    def connect():
        return no_database() if down else sqlite3.connect(sqlite_path)

    delivery = Delivery(service, "key", ClaimTable(connect), since=1000.0)
    assert delivery.attempt(MISS, 1180.0) == 30
    down.clear()
    assert delivery.attempt(None, 1210.0) is None
    assert delivery.has_ended
    assert service.taken == [("key", "in doubt")]
    assert ClaimTable(connect).sent("key") == Claim("sent", 1210.0, "reference")


def test_so_is_what_was_sent_while_they_went_away(sqlite_path):
    claims, service = ClaimTable(lambda: sqlite3.connect(sqlite_path)), Service()
    delivery, mark_sent = Delivery(service, "key", claims), claims.mark_sent

    def go_away(key, reference):
        raise ClaimsUnavailable("gone")

    claims.mark_sent = go_away
    assert delivery.attempt(MISS, 1000.0) == 30
    claims.mark_sent = mark_sent
    assert delivery.attempt(MISS, 1030.0) is None
    assert service.taken == [("key", "miss")]
    assert claims.sent("key").reference == "reference"


def test_without_its_claims_an_alert_that_is_better_lost_than_doubled_waits():
    delivery = Delivery(Service(repeats_when_in_doubt=False), "key", ClaimTable(no_database), since=1000.0)
    with pytest.raises(ClaimsUnavailable):
        delivery.attempt(MISS, 9999.0)


def test_doubt_outlives_a_later_try_that_certainly_failed(claims):
    service = Service([IN_DOUBT, POSTPONED], takes_when_in_doubt=True, shows=False)
    assert drive(Delivery(service, "key", claims)) == [2, 4]
    assert service.taken == [("key", "miss"), ("key", "in doubt")]


def test_a_refused_alert_is_one_error_and_ends(claims, caplog):
    delivery = Delivery(Service([AlertRefused("VictorOps", "it answered 404")]), "key", claims)
    assert drive(delivery) == []
    assert delivery.refused
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == ["Alert key was refused. VictorOps: it answered 404"]


def test_a_second_process_learns_that_an_alert_was_refused_and_does_not_repeat_the_error(sqlite_path, caplog):
    def claims():
        return ClaimTable(lambda: sqlite3.connect(sqlite_path))

    service = Service([AlertRefused("VictorOps", "it answered 404")])
    for _ in range(2):
        delivery = Delivery(service, "key", claims())
        assert delivery.attempt(MISS, 1000.0) is None
        assert delivery.refused
    assert service.taken == []
    assert [record.levelname for record in caplog.records].count("ERROR") == 1
    assert claims().sent("key") is None


def test_what_is_no_longer_true_is_not_sent(claims):
    service = Service([POSTPONED])
    delivery = Delivery(service, "key", claims)
    assert delivery.attempt(MISS, 1000.0) == 2
    assert delivery.attempt(None, 1002.0) is None
    assert service.taken == []
    assert delivery.outcome == "nothing to tell any more"


def test_a_doubtful_alert_that_is_no_longer_true_is_still_found_for_its_follow_up(sqlite_path):
    claims = ClaimTable(lambda: sqlite3.connect(sqlite_path))
    delivery = Delivery(Service([IN_DOUBT], takes_when_in_doubt=True), "key", claims)
    delivery.attempt(MISS, 1000.0)
    assert delivery.attempt(None, 1002.0) is None
    assert claims.sent("key").reference == "found"


def test_a_second_process_waits_for_the_first_and_sends_nothing(sqlite_path):
    def connect():
        return sqlite3.connect(sqlite_path)

    service = Service()
    first = ClaimTable(connect)
    first.claim("key", 1000.0)
    second = Delivery(service, "key", ClaimTable(connect))
    assert second.attempt(MISS, 1001.0) == 2
    first.mark_sent("key", "reference")
    assert second.attempt(MISS, 1003.0) is None
    assert (second.outcome, service.taken) == ("sent already", [])


def test_a_follow_up_refers_to_what_it_follows(claims):
    service = Service()
    drive(Delivery(service, "key", claims, reference="C1:17.5"))
    assert service.taken == [("key", "follows C1:17.5")]


@pytest.mark.parametrize(
    "error", [POSTPONED, IN_DOUBT, AlertRefused("Slack", "no"), AlertPostponed("S", "p", 3), ClaimsUnavailable("x")]
)
def test_errors_pickle(error):
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
