"""What an import of a stream reports, and when it warns."""

from __future__ import annotations

import logging

import pytest

from airflow_agari_provider.streams.outcome import log_outcome

WHOLE = {"uncounted_rows": 0, "complete": True, "quarantined_records": 0, "quarantined_rows": 0, "gaps": []}


@pytest.mark.parametrize(
    ("figures", "warnings"),
    [
        pytest.param({}, [], id="all of it"),
        pytest.param({"uncounted_rows": 3}, ["3 rows are not in counts"], id="uncounted"),
        pytest.param({"complete": False, "quarantined_records": 2}, ["INCOMPLETE: 2 records"], id="quarantined"),
        pytest.param({"complete": False, "gaps": [{}]}, ["1 gaps"], id="gaps"),
    ],
)
def test_what_was_left_out_is_a_warning(caplog, figures, warnings):
    caplog.set_level(logging.INFO)
    log_outcome("messages", "scored", WHOLE | figures)
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == len(warnings)
    assert all(wanted in text for wanted, text in zip(warnings, told, strict=True))
    assert ("complete: {" in caplog.text) == (WHOLE | figures)["complete"]
