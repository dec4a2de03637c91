"""Objects that are gone when they are to be read, and objects whose same bytes have another ETag."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_agari_provider.avro_import.changed_object import ObjectChanged
from airflow_agari_provider.avro_import.errors import ObjectsFailed
from airflow_agari_provider.avro_import.outcome import summary
from airflow_agari_provider.s3.errors import MissingObject
from airflow_agari_provider.s3.objects import FoundObject
from tests.avro.scored_messages import messages

on_sqlite = pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
GONE = FoundObject("agari", "gone.avro", "e", 10)


def put_in_parts(s3: Any, key: str, data: bytes) -> None:
    """Give the object another kind of ETag, as many programs do that copy objects."""
    upload = s3.create_multipart_upload(Bucket="agari", Key=key)["UploadId"]
    part = {"Bucket": "agari", "Key": key, "UploadId": upload, "PartNumber": 1}
    parts = {"Parts": [{"ETag": s3.upload_part(**part, Body=data)["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket="agari", Key=key, UploadId=upload, MultipartUpload=parts)


@pytest.mark.parametrize("on_changed_object", ["fail", "skip"])
def test_the_same_bytes_are_no_other_content(on_changed_object, importer, put, rows, s3):
    data = messages(3)
    old = put("a.avro", data)
    importer().import_object("agari", "a.avro")
    put_in_parts(s3, "a.avro", data)
    again = importer(on_changed_object=on_changed_object).import_object("agari", "a.avro")
    assert (again.skipped, again.changed) == (True, False)
    assert len(rows()) == 3
    (etag,) = rows("SELECT etag FROM agari_import_ledger")
    assert etag != old, "so that it is not read again"


@on_sqlite
def test_other_bytes_of_the_same_size_are(importer, put, rows, s3):
    put("a.avro", messages(3))
    importer().import_object("agari", "a.avro")
    other = messages(3, first=3)
    assert len(other) == len(messages(3))
    put_in_parts(s3, "a.avro", other)
    with pytest.raises(ObjectChanged):
        importer().import_object("agari", "a.avro")


@on_sqlite
def test_an_object_that_is_gone_is_a_failure_unless_told_otherwise(importer, put):
    put("a.avro", messages(3))
    here = FoundObject("agari", "a.avro", "", 1)
    with pytest.raises(ObjectsFailed, match=r"gone\.avro does not exist.*on_missing_object='skip'"):
        importer().import_objects([GONE, here])
    figures = summary(importer(on_missing_object="skip", table="other").import_objects([GONE, here]))
    assert (figures["objects"], figures["skipped_objects"], figures["missing_objects"]) == (1, 1, 1)
    assert figures["complete"] is False


@on_sqlite
@pytest.mark.parametrize("schema_change", ["fail", "add_columns"])
def test_a_window_may_lack_an_object_that_is_gone(schema_change, importer, put, rows):
    put("a.avro", messages(3))
    found = [GONE, FoundObject("agari", "a.avro", "", 1), GONE]
    window = {"mode": "replace", "replace_where": "1 = 1", "schema_change": schema_change}
    with pytest.raises(MissingObject):
        importer(**window).replace_window(found)
    imported = importer(**window, on_missing_object="skip").replace_window(found)
    assert [one.missing for one in imported] == [True, False, True]
    assert len(rows()) == 3
