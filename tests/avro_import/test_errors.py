from __future__ import annotations

import pickle

from airflow_agari_provider.avro_import.errors import ObjectsFailed


def test_only_ten_failures_are_shown_of_many():
    text = str(pickle.loads(pickle.dumps(ObjectsFailed([f"reason {number}" for number in range(99)], 5))))
    assert "99 object(s)" in text
    assert "reason 9\n... and 89 more" in text
