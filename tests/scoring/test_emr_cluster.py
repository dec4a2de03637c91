from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_agari_provider.scoring.emr_cluster import EmrCluster
from tests.scoring.new_cluster import CREATE


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param({}, "needs either name or cluster_id", id="nothing"),
        pytest.param({"name": "a", "cluster_id": "j-1"}, "needs either name or cluster_id", id="both"),
        pytest.param({"cluster_id": "j-1", "create": CREATE}, "goes with a name", id="create what has an id"),
        pytest.param({"name": "a", "keep": False}, "needs create", id="own cluster out of nothing"),
        pytest.param({"name": "a", "idle_timeout": timedelta(seconds=59)}, "between 1 minute", id="too short"),
        pytest.param({"name": "a", "idle_timeout": timedelta(days=8)}, "and 7 days", id="too long"),
    ],
)
def test_a_target_that_leaves_open_what_is_meant_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        EmrCluster(**arguments)


def test_a_target_shows_itself_as_a_dictionary_for_airflows_pages():
    assert EmrCluster(name="scoring", create=CREATE).serialize() == {
        "name": "scoring",
        "cluster_id": None,
        "create": CREATE,
        "keep": True,
        "idle_timeout": 3600.0,
    }
