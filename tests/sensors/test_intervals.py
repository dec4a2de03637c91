from __future__ import annotations

import pytest

from airflow_agari_provider.sensors.intervals import require_long_enough


@pytest.mark.parametrize(("poke_interval", "mode", "deferrable"), [(59, "poke", False), (59, "reschedule", True)])
def test_only_a_rescheduled_sensor_needs_a_minute(poke_interval, mode, deferrable):
    require_long_enough(poke_interval, mode, deferrable)
    require_long_enough(60, "reschedule", False)
    with pytest.raises(ValueError, match="poke_interval=59 is too short for mode='reschedule'"):
        require_long_enough(59, "reschedule", False)
