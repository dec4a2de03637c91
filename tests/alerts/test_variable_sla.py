"""An SLA from a Variable, and what becomes of a value that is none."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_agari_provider.alerts.variable_sla import FromVariable

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("value", "sla", "errors"),
    [
        ("1800", 30 * MINUTE, []),
        (" 90.5 ", timedelta(seconds=90.5), []),
        ("5", MINUTE, []),
        (None, HOUR, ["Airflow Variable load sla does not exist, so the SLA is 1:00:00. Set it to seconds."]),
        *(
            (wrong, HOUR, ["Airflow Variable load sla is no number of seconds above zero, so the SLA is 1:00:00. Set"])
            for wrong in ("", "0", "-5", "half an hour", "nan", "inf", "1e99")
        ),
    ],
)
def test_a_value_that_is_no_time_is_an_error_in_the_log_and_never_no_sla(value, sla, errors, caplog):
    known = FromVariable("load sla", default=HOUR)
    assert FromVariable.from_text(known.text) == known
    assert known.sla(value) == sla
    assert [message.startswith(error) for message, error in zip(caplog.messages, errors, strict=True)] == [True] * len(
        errors
    )


@pytest.mark.parametrize(
    ("key", "times"),
    [
        (" ", {"default": HOUR}),
        ("sla", {"default": timedelta(0)}),
        ("sla", {"default": MINUTE, "floor": HOUR}),
        ("sla", {"default": HOUR, "floor": timedelta(0)}),
        ("sla", {"default": timedelta(days=400)}),
    ],
)
def test_what_cannot_be_is_refused(key, times):
    with pytest.raises(ValueError, match="FromVariable"):
        FromVariable(key, **times)
