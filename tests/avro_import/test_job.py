from __future__ import annotations

import pytest

from airflow_agari_provider.avro_import.job import ImportJob


@pytest.mark.parametrize(
    "job",
    [
        {"mode": "delete"},
        {"mode": "replace"},
        {"replace_where": "true"},
        {"mode": "upsert"},
        {"key_columns": ("id",)},
        {"on_changed_object": "append"},
        {"on_changed_object": "replace"},
        {"on_bad_block": "skip"},
        {"on_bad_block": "quarantine"},
        {"quarantine_url": "s3://agari/quarantine"},
        {"on_bad_block": "quarantine", "quarantine_url": "s3://agari/"},
    ],
    ids=str,
)
def test_arguments_that_do_not_go_together_are_refused(job):
    with pytest.raises(ValueError, match=r"go together|is one of|Use mode|folder"):
        ImportJob("t", "run", **job)


def test_two_fields_for_one_column_are_refused():
    with pytest.raises(ValueError, match="column 'x'"):
        ImportJob("t", "run", columns={"a": "x", "b": "x"})
