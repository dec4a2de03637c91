"""What is to be done with content that comes under a key that was loaded before."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_agari_provider.avro_import.changed_object import LoadedContent, ObjectChanged, modified_at
from airflow_agari_provider.s3.objects import StoredObject

AT = datetime(2016, 4, 28, 5, tzinfo=UTC)
LOADED = LoadedContent("scored", "e1", "2016-04-28T05:00:00+00:00", "2016-04-28 06:00:00")
SECOND = timedelta(seconds=1)


def stored(etag: str = "e2", at: datetime = AT) -> StoredObject:
    return StoredObject("b", "k", etag, None, 10, at)


@pytest.mark.parametrize(
    ("content", "on_changed_object", "is_current", "decision"),
    [
        pytest.param(stored("e1"), "fail", True, "there", id="the same content"),
        pytest.param(stored("e1", AT + SECOND), "replace", True, "there", id="the same content, written again"),
        pytest.param(stored(at=AT + SECOND), "skip", True, "changed", id="changed, to skip"),
        pytest.param(stored(at=AT - SECOND), "skip", True, "changed", id="older, to skip"),
        pytest.param(stored(at=AT + SECOND), "replace", False, "load", id="newer, to replace"),
        pytest.param(stored(at=AT - SECOND), "replace", True, "there", id="older, to replace"),
        pytest.param(stored(), "replace", True, "load", id="of the same second, and current"),
        pytest.param(stored(), "replace", False, "there", id="of the same second, and not current"),
    ],
)
def test_content_is_loaded_where_it_is_new_and_wanted(content, on_changed_object, is_current, decision):
    assert LOADED.against(content, on_changed_object, lambda _: is_current) == decision


@pytest.mark.parametrize("at", [AT - SECOND, AT, AT + SECOND], ids=["older", "of the same second", "newer"])
def test_changed_content_is_an_error_where_it_is_to_fail(at):
    with pytest.raises(ObjectChanged) as caught:
        LOADED.against(stored(at=at), "fail", lambda _: True)
    text = str(pickle.loads(pickle.dumps(caught.value)))
    assert text.startswith("s3://b/k was loaded into scored at 2016-04-28 06:00:00, and its content has changed since.")
    assert "on_changed_object" in text


def test_s3_is_asked_only_about_content_of_the_same_second():
    asked: list[StoredObject] = []
    for at in (AT - SECOND, AT, AT + SECOND):
        LOADED.against(stored(at=at), "replace", lambda content: bool(asked.append(content)))
    assert asked == [stored()]


def test_a_time_of_change_sorts_as_text_in_any_zone():
    tokyo = datetime(2016, 4, 28, 14, 0, 0, 999_999, timezone(timedelta(hours=9)))
    assert modified_at(stored(at=tokyo)) == "2016-04-28T05:00:00+00:00"
