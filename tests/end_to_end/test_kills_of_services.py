"""The table is exact after the triggerer and the local EMR are killed at work and after a task is cleared."""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.kills import run

pytestmark = [pytest.mark.end_to_end, pytest.mark.spark]


def test_the_triggerer_and_the_local_emr_may_die(tmp_path, clean_environment, capsys):
    states = run(tmp_path, ["emr", "triggerer"], deferrable=True, then_clear="score.score_messages")
    assert states == ["COMPLETED"]
    shown = capsys.readouterr().out
    assert re.search(r"ok +the report equals the expected table in every cell", shown)
    assert re.search(r"ok +the queues are empty", shown)
    assert re.search(r"mail +message_scoring on \S+ completed 2016-04-28 00:00:00 successfully", shown)
    assert re.search(r"charts of every try: http://127\.0\.0\.1:\d+/agari/charts\?dag_id=message_scoring ", shown)
