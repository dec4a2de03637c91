from __future__ import annotations

import pytest

from airflow_agari_provider.avro_import.outcome import ImportedObject, summary


def test_a_summary_counts_what_was_loaded_now():
    one, two = ImportedObject("a", 3, 10, {"1": 2, "2": 1}), ImportedObject("b", 1, 5, {"2": 1})
    assert summary([one, ImportedObject("c", skipped=True), two]) == {
        "objects": 2,
        "skipped_objects": 1,
        "changed_objects": 0,
        "missing_objects": 0,
        "not_matching_objects": 0,
        "failed_messages": 0,
        "dead_letters": 0,
        "rows": 4,
        "quarantined_rows": 0,
        "quarantined_blocks": 0,
        "bytes": 15,
        "counts": {"1": 2, "2": 2},
        "uncounted_rows": 0,
        "complete": True,
    }


@pytest.mark.parametrize(
    ("imported", "failed_messages"),
    [
        pytest.param(ImportedObject("a", 3, quarantined_rows=2, quarantined_blocks=1), 0, id="quarantined rows"),
        pytest.param(ImportedObject("a", 3, quarantined_blocks=1), 0, id="a block of unknown rows"),
        pytest.param(ImportedObject("a", skipped=True, changed=True), 0, id="changed content skipped"),
        pytest.param(ImportedObject("a", 3), 1, id="a failed message"),
    ],
)
def test_a_summary_says_where_something_was_left_out(imported, failed_messages):
    assert summary([imported], failed_messages)["complete"] is False
