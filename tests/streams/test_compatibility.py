from __future__ import annotations

import pytest

from airflow_agari_provider.streams.compatibility import why_incompatible
from tests.streams.collector_config import COLLECTOR_CONFIG, with_field


@pytest.mark.parametrize(
    ("mode", "new", "problem"),
    [
        ("backward", with_field("region", "string", default="us"), None),
        ("backward", with_field("region", "string"), "region"),
        ("forward", with_field("region", "string"), None),
        ("full", with_field("region", "string"), "region"),
        ("none", "int", None),
        ("backward", COLLECTOR_CONFIG | {"fields": COLLECTOR_CONFIG["fields"][:2]}, None),
        ("full", COLLECTOR_CONFIG | {"fields": COLLECTOR_CONFIG["fields"][1:]}, "collector_id"),
    ],
)
def test_a_new_version_fits_or_the_reason_names_the_field(mode, new, problem):
    found = why_incompatible(new, COLLECTOR_CONFIG, mode)
    assert found is None if problem is None else problem in found


def enum(*symbols, **more):
    return {"type": "enum", "name": "e", "symbols": list(symbols), **more}


@pytest.mark.parametrize(
    ("old", "new", "backward", "forward"),
    [
        ("int", "long", True, False),
        ("long", "int", False, True),
        ("string", "bytes", True, True),
        ("int", ["null", "int"], True, False),
        (["null", "int"], ["null", "int", "string"], True, False),
        (["null", "int"], ["int", "null"], True, True),
        ("int", "string", False, False),
        (enum("a"), enum("a", "b"), True, False),
        (enum("a"), enum("a", "b", default="a"), True, False),
        (enum("a", default="a"), enum("a", "b"), True, True),
        (enum("a", "b"), enum("b", "a"), True, True),
    ],
)
def test_a_type_may_be_promoted_in_the_direction_in_which_it_is_read(old, new, backward, forward):
    assert (why_incompatible(new, old, "backward") is None) is backward
    assert (why_incompatible(new, old, "forward") is None) is forward
    assert (why_incompatible(new, old, "full") is None) is (backward and forward)
    assert why_incompatible(new, old, "none") is None


@pytest.mark.parametrize("mode", ["backward", "forward", "full", "none"])
def test_a_schema_fits_to_itself(mode):
    assert why_incompatible(COLLECTOR_CONFIG, COLLECTOR_CONFIG, mode) is None


@pytest.mark.parametrize("schema", ["no such type", {"type": "record"}, None, 5], ids=str)
def test_what_is_no_schema_is_an_error_and_does_not_fit(schema):
    with pytest.raises(ValueError):  # noqa: PT011 - the text is that of the schema's own check
        why_incompatible(schema, "int", "backward")
