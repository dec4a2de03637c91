"""The table is exact after task processes are killed at work and after a task is cleared."""

from __future__ import annotations

import pytest

from tests.end_to_end.kills import run

pytestmark = [pytest.mark.end_to_end, pytest.mark.spark]


def test_the_scoring_s_and_the_importer_s_process_may_die(tmp_path, clean_environment):
    states = run(tmp_path, ["scoring", "importer"], deferrable=False, then_clear="prepare.delete_window")
    assert states == ["COMPLETED"]
