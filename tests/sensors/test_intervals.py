from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_agari_provider.sensors.intervals import require_long_enough, seconds


@pytest.mark.parametrize(("poke_interval", "mode", "deferrable"), [(59, "poke", False), (59, "reschedule", True)])
def test_only_a_rescheduled_sensor_needs_a_minute(poke_interval, mode, deferrable):
    require_long_enough(poke_interval, mode, deferrable)
    require_long_enough(60, "reschedule", False)
    with pytest.raises(ValueError, match="poke_interval=59 is too short for mode='reschedule'"):
        require_long_enough(59, "reschedule", False)


@pytest.mark.parametrize("duration", [90, 90.0, "90", timedelta(seconds=90)])
def test_a_duration_is_seconds_in_any_of_its_forms(duration):
    assert seconds(duration) == 90
