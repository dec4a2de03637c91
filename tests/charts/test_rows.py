"""A row as a plain tuple has the same fields as the named tuple."""

from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from airflow_agari_provider.charts import rows
from airflow_agari_provider.charts.tries import AGAIN, PlainTry, Try

PLACES = {
    "TASK": "task_id", "NUMBER": "try_number", "STATE": "state", "OLD": "old", "MAP_INDEX": "map_index",
    "INSTANCES": "instances", "REQUEUED": "requeued", "OPERATOR": "operator",
}  # fmt: skip


@pytest.mark.parametrize(("place", "field"), PLACES.items(), ids=PLACES)
def test_a_place_is_that_of_its_field(place, field):
    assert getattr(rows, place) == rows.TryRow._fields.index(field)


def test_the_place_of_again_is_that_of_its_field():
    assert Try._fields.index("again") == AGAIN


@pytest.mark.parametrize(("plain", "named"), [(rows.PlainTryRow, rows.TryRow), (PlainTry, Try)], ids=["row", "try"])
def test_a_plain_tuple_has_the_types_of_its_fields(plain, named):
    assert get_args(plain) == tuple(get_type_hints(named).values())
