from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.alerts.sender import AlertInDoubt, AlertNotSent, AlertPostponed, AlertRefused, CannotLook

KINDS = (AlertRefused, AlertPostponed, AlertInDoubt)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("problem", ["it answered 503", "", "ü\n" * 3])
def test_an_alert_that_was_not_sent_names_the_service_and_survives_the_way_between_processes(kind, problem):
    error = pickle.loads(pickle.dumps(kind("Slack", problem, 30.5)))
    assert (type(error), error.service, error.problem, error.retry_after) == (kind, "Slack", problem, 30.5)
    assert str(error) == f"Slack: {problem}"


def test_the_three_kinds_are_told_apart_and_caught_together():
    for kind in KINDS:
        assert issubclass(kind, AlertNotSent)
        assert [other for other in KINDS if issubclass(kind, other)] == [kind]
    assert not issubclass(CannotLook, AlertNotSent)


def test_a_service_that_does_not_say_how_long_to_wait_asks_for_no_time():
    assert AlertPostponed("VictorOps", "busy").retry_after == 0


def test_why_a_service_cannot_be_asked_is_the_whole_text():
    assert str(pickle.loads(pickle.dumps(CannotLook("Slack does not show it")))) == "Slack does not show it"
