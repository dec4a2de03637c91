from __future__ import annotations

import pickle

import pytest

from airflow_agari_provider.exceptions import UnimportableObject
from airflow_agari_provider.s3.errors import (
    ArchivedObject,
    EncodedObject,
    ForbiddenObject,
    MissingBucket,
    MissingObject,
    ObjectOverwritten,
    UnusableBucket,
)

URL = "s3://agari/żółw 1.avro"
ERRORS = [
    (MissingObject(URL), "does not exist"),
    (MissingBucket(URL), "the bucket does not exist"),
    (UnusableBucket(URL, "Invalid bucket name"), "cannot be requested from S3: Invalid bucket name. Correct the URL"),
    (ForbiddenObject(URL, "Access Denied"), "is forbidden: Access Denied. Give the credentials of aws_conn_id"),
    (ArchivedObject(URL, "InvalidObjectState"), "does not read it: InvalidObjectState. Restore it"),
    (EncodedObject(URL, "gzip"), "has Content-Encoding gzip"),
    (ObjectOverwritten(URL), "was overwritten while it was read"),
]
each = pytest.mark.parametrize(("error", "says"), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])


@each
def test_an_error_names_the_object_and_survives_the_way_between_processes(error, says):
    assert URL in str(error)
    assert says in str(error)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))


@each
def test_only_of_an_object_that_was_overwritten_a_retry_can_read_more(error, says):
    assert isinstance(error, UnimportableObject) is not isinstance(error, ObjectOverwritten)
