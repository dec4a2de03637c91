from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.stub
import pytest

from airflow_agari_provider.s3.errors import (
    ArchivedObject,
    EncodedObject,
    ForbiddenObject,
    MissingBucket,
    MissingObject,
    ObjectOverwritten,
    UnusableBucket,
)
from airflow_agari_provider.s3.objects import ObjectStream, forbidden, objects_at

CONTENT = bytes(range(256)) * 20_000  # 5 MB: several chunks


class BreakingStore(BaseHTTPRequestHandler):
    """An S3 of one object, whose connections break after ``breaks_after`` bytes until ``breaks`` are used up."""

    breaks: int
    breaks_after: int
    content: bytes
    etag: str
    asked: list[str | None]

    def do_GET(self) -> None:
        store: Any = type(self)
        store.asked.append(self.headers.get("Range"))
        wanted = self.headers.get("If-Match")
        if wanted and wanted != store.etag:
            self.send_error(412)
            return
        start = int(re.sub(r"\D", "", self.headers.get("Range") or "0"))
        data = store.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("ETag", store.etag)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Last-Modified", "Thu, 28 Apr 2016 05:00:00 GMT")
        self.end_headers()
        if store.breaks:
            store.breaks -= 1
            data = data[: store.breaks_after]
            self.close_connection = True
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Any]:
    class Store(BreakingStore):
        breaks, breaks_after, content, etag, asked = 0, 0, CONTENT, '"e1"', []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Store.client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.server_address[1]}",
        region_name="us-east-1",
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )
    yield Store
    server.shutdown()
    server.server_close()
    thread.join()


def read_in_pieces(stream: ObjectStream, size: int = 70_000) -> bytes:
    with stream:
        return b"".join(iter(lambda: stream.read(size), b""))


def test_an_object_is_read_whole_and_described(s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="a/b c+ü.avro", Body=CONTENT)
    stream = ObjectStream(s3, bucket, "a/b c+ü.avro")
    assert read_in_pieces(stream) == CONTENT
    assert (stream.stored.url, stream.stored.size_bytes) == ("s3://agari/a/b c+ü.avro", 5_120_000)
    assert stream.stored.etag == put["ETag"].strip('"')


def test_an_empty_object_ends_at_once(s3, bucket):
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert read_in_pieces(ObjectStream(s3, bucket, "empty")) == b""


def test_a_named_version_is_read_though_a_newer_one_exists(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")["VersionId"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"second")
    stream = ObjectStream(s3, bucket, "k", version_id=first)
    assert (read_in_pieces(stream), stream.stored.version_id) == (b"first", first)


def test_a_missing_object_is_told_by_its_url(s3, bucket):
    with pytest.raises(MissingObject, match="s3://agari/nowhere"):
        ObjectStream(s3, bucket, "nowhere")


def test_a_missing_bucket_is_told_by_the_url(s3, aws):
    with pytest.raises(MissingBucket, match="s3://nowhere/day: the bucket does not exist"):
        objects_at(s3, ["s3://nowhere/day"])
    with pytest.raises(MissingBucket, match="s3://nowhere/day/a: the bucket does not exist"):
        ObjectStream(s3, "nowhere", "day/a")


@pytest.mark.parametrize("name", ["my bucket", "arn:aws:s3:us-east-1:123456789012:accesspoint", "arn:aws:sqs:x:1:y"])
def test_a_bucket_that_boto3_does_not_take_is_told_by_its_url(s3, name):
    with pytest.raises(UnusableBucket, match=f"s3://{name}/a.avro cannot be requested.*accesspoint/<name>"):
        ObjectStream(s3, name, "a.avro")
    with pytest.raises(UnusableBucket, match=f"s3://{name}/a.avro cannot be requested"):
        objects_at(s3, f"s3://{name}/a.avro")


def test_a_folder_that_may_not_be_listed_is_told_by_its_url(s3):
    with botocore.stub.Stubber(s3) as stub:
        stub.add_client_error("list_objects_v2", "AccessDenied", http_status_code=403)
        with pytest.raises(ForbiddenObject, match=r"s3://agari/day/ is forbidden: .*AccessDenied"):
            objects_at(s3, "s3://agari/day/")


def test_a_connection_that_breaks_is_resumed_where_it_broke(store):
    store.breaks, store.breaks_after = 3, 1_500_000
    waits: list[float] = []
    assert read_in_pieces(ObjectStream(store.client, "b", "k", sleep=waits.append)) == CONTENT
    assert len(store.asked) == 4
    assert store.asked[:2] == [None, "bytes=1500000-"]
    assert waits == [0.5, 0.5, 0.5]  # each break after some progress begins with the shortest wait


def test_a_connection_that_brings_nothing_any_more_fails_after_five_tries(store):
    store.breaks = 100
    waits: list[float] = []
    with pytest.raises(botocore.exceptions.BotoCoreError):
        read_in_pieces(ObjectStream(store.client, "b", "k", sleep=waits.append))
    assert waits == [0.5, 1, 2, 4]


def test_an_object_overwritten_while_the_connection_was_down_is_never_mixed(store):
    store.breaks, store.breaks_after = 1, 1_500_000

    def overwrite(seconds: float) -> None:
        store.etag = '"e2"'

    with pytest.raises(ObjectOverwritten):
        read_in_pieces(ObjectStream(store.client, "b", "k", sleep=overwrite))


EMPTY_ETAG = "d41d8cd98f00b204e9800998ecf8427e"
KEYS = [
    "h=1/_SUCCESS",
    "h=1/_temporary/0.avro",
    "h=1/a.avro",
    "h=1/b.avro",
    "h=1/_c=1/c.avro",
    "h=10/a.avro",
    "h=1/.x.crc",
]


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        pytest.param("s3://agari/h=1/a.avro", ["h=1/a.avro"], id="an object"),
        pytest.param("s3://agari/h=1", ["h=1/_c=1/c.avro", "h=1/a.avro", "h=1/b.avro"], id="a folder"),
        pytest.param("s3://agari/h=10/", ["h=10/a.avro"], id="a folder with its slash"),
        pytest.param("s3://agari", ["h=1/_c=1/c.avro", "h=1/a.avro", "h=1/b.avro", "h=10/a.avro"], id="a bucket"),
        pytest.param("s3://agari/h=1/_SUCCESS", ["h=1/_SUCCESS"], id="a hidden object named outright"),
        pytest.param(["s3://agari/h=10", "s3://agari/h=10/a.avro"], ["h=10/a.avro"], id="a list, each object once"),
        pytest.param("s3://agari/h=2", [], id="nothing there"),
    ],
)
def test_a_url_names_an_object_or_all_below_it(s3, bucket, urls, expected):
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    assert objects_at(s3, urls) == [("agari", key, EMPTY_ETAG, 0, None) for key in expected]


def client_error(code: str, status: int) -> botocore.exceptions.ClientError:
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(answer, "GetObject")


def test_throttling_while_a_connection_is_opened_again_costs_one_try(store):
    store.breaks, store.breaks_after = 1, 1_500_000
    throttled = iter([None, client_error("SlowDown", 503)])  # the first request opens the object

    def throttle(**_: Any) -> None:
        if error := next(throttled, None):
            raise error

    store.client.meta.events.register("before-call.s3.GetObject", throttle)
    waits: list[float] = []
    assert read_in_pieces(ObjectStream(store.client, "b", "k", sleep=waits.append)) == CONTENT
    assert waits == [0.5, 1]


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("AccessDenied", 403, True),
        ("InvalidAccessKeyId", 403, True),
        ("KMS.AccessDeniedException", 400, True),
        ("KMS.DisabledException", 400, True),
        ("KMS.ThrottlingException", 400, False),
        ("KMS.KMSInternalException", 500, False),
        ("ExpiredToken", 403, False),
        ("NoSuchKey", 404, False),
    ],
)
def test_forbidden_is_what_waiting_does_not_change(code, status, expected):
    assert forbidden(client_error(code, status)) is expected


def test_below_a_folder_only_data_of_the_pattern_is_taken_and_the_rest_is_told(s3, bucket):
    names = ("a.avro", "_b.avro", "c.json", "d.csv", "e_$folder$", "_SUCCESS", "000000_0", "_temporary/0/f.avro")
    for name in names:
        s3.put_object(Bucket=bucket, Key=f"day/{name}", Body=b"")
    skipped: list[str] = []
    assert [one.key for one in objects_at(s3, "s3://agari/day", "*.avro", skipped.append)] == ["day/a.avro"]
    assert len(skipped) == 7
    assert [one.key for one in objects_at(s3, "s3://agari/day")] == [
        "day/000000_0", "day/a.avro", "day/c.json", "day/d.csv",
    ]  # fmt: skip


def test_an_object_in_an_archive_is_told_with_what_to_do(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a.avro", Body=b"x", StorageClass="GLACIER")
    with pytest.raises(ArchivedObject, match=r"s3://agari/a\.avro is in an archive .*restore-object"):
        ObjectStream(s3, bucket, "a.avro")


def test_an_object_that_is_compressed_as_a_whole_is_told_with_what_to_do(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a.avro", Body=b"x", ContentEncoding="gzip")
    with pytest.raises(EncodedObject, match=r"s3://agari/a\.avro has Content-Encoding gzip.*avro\.codec"):
        ObjectStream(s3, bucket, "a.avro")
