from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import botocore.exceptions
import botocore.stub
import pytest

from airflow_agari_provider.avro_import.errors import UnexpectedFailure
from airflow_agari_provider.avro_import.failures import failure_reason
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.outcome import summary
from airflow_agari_provider.avro_import.queue_import import MessageStuck, QueueImport
from airflow_agari_provider.databases.errors import MissingTable
from airflow_agari_provider.databases.statements import query
from airflow_agari_provider.queues.depth import read_depth
from tests.avro.scored_messages import avro_file, messages
from tests.avro_import.importers import at_work, failing_for

JOB = ImportJob(
    "scored", "run", mode="upsert", key_columns=("org_id", "message_id"), create_table=True, count_by="org_id"
)


@pytest.fixture
def dead_letter_url(sqs: Any, queue_url: str) -> str:
    """The queue's dead-letter queue; the queue hides a message for a second, and gives it out three times."""
    url = str(sqs.create_queue(QueueName="importer-dead")["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "1"})
    return url


@pytest.fixture
def notify(s3: Any, sqs: Any, bucket: str, queue_url: str) -> Callable[..., None]:
    """Puts objects, and one message that names them all."""

    def notify(**objects: bytes | None) -> None:
        records = []
        for name, data in objects.items():
            key = f"{name}.avro"
            etag = s3.put_object(Bucket=bucket, Key=key, Body=data)["ETag"].strip('"') if data else None
            entry = {"bucket": {"name": bucket}, "object": {"key": key, "eTag": etag}}
            records.append({"eventName": "ObjectCreated:Put", "s3": entry})
        sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps({"Records": records}))

    return notify


@pytest.fixture
def share(sqs: Any, s3: Any, queue_url: str, sqlite_path: Any) -> Callable[..., QueueImport]:
    """Makes shares of the queue that import into SQLite and do not wait for messages."""

    def share(job: ImportJob = JOB, **options: Any) -> QueueImport:
        def connect() -> Importer:
            return Importer(sqlite3.connect(sqlite_path), s3, job)

        return QueueImport(sqs, queue_url, connect, **{"wait_time_seconds": 0} | options)

    return share


@pytest.fixture
def count(sqlite_path: Any) -> Callable[[], int]:
    def count() -> int:
        with closing(sqlite3.connect(sqlite_path)) as connection:
            return int(connection.execute("SELECT COUNT(*) FROM scored").fetchone()[0])

    return count


def run(share: QueueImport) -> dict[str, Any]:
    share.run()
    return summary(share.imported, len(share.failed), share.dead_letters, len(share.not_matching))


def bodies(sqs: Any, url: str) -> list[str]:
    found = []
    while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        found += [message["Body"] for message in received]
    return found


def test_everything_in_the_queue_is_imported_and_its_messages_deleted(share, notify, sqs, queue_url, count):
    for number in range(12):
        notify(**{f"part-{number}": messages(10, first=number * 10, org_id=number % 2)})
    figures = run(share())
    assert (figures["objects"], figures["rows"], figures["failed_messages"]) == (12, 120, 0)
    assert figures["counts"] == {"0": 60, "1": 60}
    assert count() == 120
    assert read_depth(sqs, queue_url).total == 0


def test_an_empty_queue_is_done_at_once(share, queue_url):
    assert run(share())["objects"] == 0


def test_a_message_may_name_several_objects_or_none(share, notify, sqs, queue_url, count):
    notify(a=messages(2), b=messages(2, first=2))
    notify()
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps({"Event": "s3:TestEvent"}))
    assert run(share())["objects"] == 2
    assert count() == 4
    assert read_depth(sqs, queue_url).total == 0


def test_the_same_message_twice_loads_its_object_once(share, notify, sqs, queue_url, count):
    notify(a=messages(5))
    notify(a=messages(5))
    notify(a=None)  # without an ETag
    figures = run(share())
    assert (figures["objects"], figures["skipped_objects"], figures["rows"]) == (1, 2, 5)
    assert read_depth(sqs, queue_url).total == 0


@pytest.mark.parametrize(
    ("key", "loaded"),
    [
        ("scored/_SUCCESS", 0),
        ("scored/_temporary/0/_temporary/attempt_1/part-0.avro", 0),
        ("scored/__magic/job-1/part-0.avro", 0),
        ("scored/.hive-staging_1/part-0.avro", 0),
        ("_landing/part-0.avro", 5),
        ("scored/_part-0.avro", 0),
        ("scored/day_$folder$", 0),
        ("scored/part-0.json", 0),
        ("scored/part-0", 0),
    ],
)
def test_what_spark_writes_next_to_its_data_is_skipped(share, s3, sqs, bucket, queue_url, key, loaded):
    s3.put_object(Bucket=bucket, Key=key, Body=messages(5))
    record = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "agari"}, "object": {"key": key}}}
    sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps({"Records": [record]}))
    figures = run(share(pattern="*.avro"))
    assert (figures["rows"], figures["failed_messages"]) == (loaded, 0)
    assert figures["not_matching_objects"] == (0 if loaded else 1)
    assert read_depth(sqs, queue_url).total == 0


def test_what_is_quarantined_is_not_imported_when_it_is_announced(share, notify, sqs, s3, queue_url, count):
    notify(a=messages(5)[:-1])
    notify(**{"bad/rows-1": b"quarantined"})
    job = ImportJob("scored", "run", create_table=True, on_bad_block="quarantine", quarantine_url="s3://agari/bad")
    figures = run(share(job))
    assert (figures["objects"], figures["quarantined_rows"], figures["failed_messages"]) == (1, 5, 0)
    assert read_depth(sqs, queue_url).total == 0


def test_two_importers_share_a_queue(notify, sqs, s3, queue_url, connect):
    for number in range(24):
        notify(**{f"part-{number}": messages(20, first=number * 10)})  # each holds half of the next one's keys
    start = threading.Barrier(2, timeout=30)

    def work() -> dict[str, Any]:
        share = QueueImport(sqs, queue_url, lambda: Importer(connect(), s3, JOB), wait_time_seconds=0)
        start.wait()
        return run(share)

    with ThreadPoolExecutor(2) as pool:
        one, two = (done.result() for done in [pool.submit(work), pool.submit(work)])
    assert one["objects"] + two["objects"] == 24
    assert one["rows"] + two["rows"] == 480
    assert min(one["objects"], two["objects"]) > 0
    with closing(connect()) as connection:
        assert query(connection, "SELECT COUNT(*) FROM scored") == [(250,)]


@pytest.mark.parametrize("connect", ["psycopg", "mysqlclient"], indirect=True)
def test_a_message_that_came_twice_does_not_keep_the_others_waiting(notify, sqs, s3, queue_url, connect):
    """... while another importer loads the object that it names."""
    notify(a=messages(5))
    notify(b=messages(5, first=5))
    shared = QueueImport(sqs, queue_url, lambda: Importer(connect(), s3, JOB), wait_time_seconds=0)
    with at_work(connect, "s3://agari/a.avro"):
        assert run(shared)["objects"] == 2
    assert [one.url for one in shared.imported] == ["s3://agari/b.avro", "s3://agari/a.avro"]


def test_bad_messages_go_to_the_dead_letter_queue_and_the_others_go_on(
    share, notify, sqs, queue_url, dead_letter_url, sqlite_path
):
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "60"})
    notify(good_1=messages(5))
    notify(bad=messages(5)[:-3])
    notify(gone=None)
    sent = sqs.send_message(QueueUrl=queue_url, MessageBody="hello")
    notify(half=messages(5, first=5), other_half=b"not Avro")
    notify(good_2=messages(5, first=10))
    figures = run(share(max_seconds=40))  # less than a visibility timeout: bad messages do not wait for it
    assert (figures["objects"], figures["rows"], figures["failed_messages"]) == (3, 15, 4)
    assert read_depth(sqs, queue_url).total == 0
    dead = bodies(sqs, dead_letter_url)
    assert len(dead) == 4
    assert "hello" in dead
    with closing(sqlite3.connect(sqlite_path)) as connection:
        assert "truncated" in str(failure_reason(connection, "agari", "bad.avro"))
        assert "does not exist" in str(failure_reason(connection, "agari", "gone.avro"))
        assert "not an Avro" in str(failure_reason(connection, "agari", "other_half.avro"))
        assert "hello" in str(failure_reason(connection, "", sent["MessageId"]))
        assert failure_reason(connection, "agari", "good_1.avro") is None


def test_without_a_dead_letter_queue_a_bad_message_ends_in_an_error_after_the_others(
    share, notify, sqs, queue_url, count
):
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    notify(bad=b"not Avro")
    notify(good=messages(5))
    with pytest.raises(MessageStuck, match="redrive policy"):
        share().run()
    assert count() == 5
    assert read_depth(sqs, queue_url).total == 1


def test_a_message_that_another_importer_holds_is_waited_for(share, notify, sqs, queue_url, dead_letter_url, count):
    """... because that importer may be dead: its message comes back."""
    notify(a=messages(5))
    sqs.receive_message(QueueUrl=queue_url, VisibilityTimeout=2)
    began = time.monotonic()
    assert run(share())["rows"] == 5
    assert time.monotonic() - began > 1
    assert count() == 5


def test_caps_end_the_import_early(share, notify, sqs, queue_url, count):
    for number in range(5):
        notify(**{f"part-{number}": messages(10, first=number * 10)})
    assert run(share(max_messages=2))["objects"] == 2
    assert read_depth(sqs, queue_url).visible == 3
    ticks, one_by_one = iter(range(100)), dataclasses.replace(JOB, objects_per_transaction=1)
    assert run(share(one_by_one, max_seconds=5, clock=lambda: next(ticks)))["objects"] == 2
    assert read_depth(sqs, queue_url).visible == 1, "what was received and not begun is given back"
    assert run(share(max_objects=1))["objects"] == 1
    assert run(share())["objects"] == 0
    assert count() == 50


@pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
def test_small_objects_share_a_transaction_and_their_messages_a_request(notify, s3, sqs, queue_url, connect):
    for number in range(23):
        notify(**{f"part-{number}": messages(2, first=number * 2)})
    deletions: list[int] = []
    note = lambda params, **_: deletions.append(len(params["Entries"]))  # noqa: E731
    sqs.meta.events.register("provide-client-params.sqs.DeleteMessageBatch", note)
    one = QueueImport(sqs, queue_url, lambda: Importer(connect(), s3, JOB), wait_time_seconds=0)
    figures = run(one)
    sqs.meta.events.unregister("provide-client-params.sqs.DeleteMessageBatch", note)
    assert (figures["objects"], figures["rows"], figures["counts"]) == (23, 46, {"1": 46})
    assert sorted(deletions) == [2, 10, 10]
    with closing(connect()) as connection:
        assert query(connection, "SELECT COUNT(*) FROM scored") == [(46,)]
        (transactions,) = query(connection, "SELECT COUNT(DISTINCT xmin::text) FROM agari_import_ledger")
    assert transactions == (2,), "the first message; all others"
    assert read_depth(sqs, queue_url).total == 0


def test_an_odd_object_in_every_tenth_place_costs_the_others_nothing(
    share, notify, sqs, queue_url, dead_letter_url, count
):
    odd = [b"not Avro", messages(3)[:-1], b"", None]
    for number in range(40):
        data = odd[number // 10] if number % 10 == 5 else messages(3, first=number * 3)
        notify(**{f"part-{number}": data})
    for number in (1, 2):
        notify(**{f"part-{number}": messages(3, first=number * 3)})  # again
    figures = run(share())
    assert (figures["objects"], figures["skipped_objects"], figures["failed_messages"]) == (36, 2, 4)
    assert count() == 36 * 3
    assert read_depth(sqs, queue_url).total == 0
    keys = [json.loads(body)["Records"][0]["s3"]["object"]["key"] for body in bodies(sqs, dead_letter_url)]
    assert sorted(keys) == ["part-15.avro", "part-25.avro", "part-35.avro", "part-5.avro"]


def test_unexpected_failures_among_objects_that_are_loaded_do_not_end_the_run(
    share, notify, sqs, s3, queue_url, dead_letter_url, count
):
    for number in range(12):
        notify(**{f"part-{number}": messages(1, first=number)})
    with failing_for(s3, *(f"part-{number}.avro" for number in (3, 5, 7, 9))):
        figures = run(share())
    assert (figures["objects"], figures["failed_messages"], count()) == (8, 4, 8)
    assert len(bodies(sqs, dead_letter_url)) == 4


def test_a_cap_on_objects_leaves_the_other_messages_in_the_queue(share, notify, sqs, queue_url):
    for number in range(5):
        notify(**{f"part-{number}": messages(10, first=number * 10)})
    assert run(share(max_objects=3))["objects"] == 3
    depth = read_depth(sqs, queue_url)
    assert (depth.visible, depth.in_flight) == (2, 0)


def test_a_missing_table_ends_the_import_and_gives_the_messages_back(share, notify, sqs, queue_url, dead_letter_url):
    notify(a=messages(5))
    with pytest.raises(Exception, match="create_table"):
        share(ImportJob("scored", "run")).run()
    depth = read_depth(sqs, queue_url)
    assert (depth.visible, depth.in_flight) == (1, 0)


def test_a_failure_of_s3_leaves_the_message_to_its_time(
    share, notify, queue_url, dead_letter_url, s3, count, sqlite_path
):
    notify(a=messages(5))
    with botocore.stub.Stubber(s3) as stub:
        stub.add_client_error("get_object", "SlowDown", http_status_code=503)
        one = share(max_messages=1)
        one.run()
    assert one.imported == []
    assert "SlowDown" in next(iter(one.failed.values()))
    assert run(share())["rows"] == 5
    with closing(sqlite3.connect(sqlite_path)) as connection:
        assert query(connection, "SELECT COUNT(*) FROM agari_import_failures") == [(1,)]


def test_what_may_not_be_read_comes_back_until_it_is_stuck_where_no_other_queue_takes_it(
    share, notify, sqs, queue_url, s3, count
):
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    notify(a=messages(5))
    notify(b=messages(5, first=5))
    tries = []

    def deny(params: Any, **request: Any) -> Any:
        if not params["url_path"].endswith("a.avro"):
            return None
        tries.append(params)
        denied = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        return SimpleNamespace(status_code=403), denied

    s3.meta.events.register("before-call.s3.GetObject", deny)
    with pytest.raises(MessageStuck, match=r"a\.avro is forbidden"):
        share().run()
    assert (len(tries), count()) == (2, 5)


def test_what_may_not_be_read_is_left_to_its_visibility_timeout_where_there_is_a_dead_letter_queue(
    share, notify, sqs, queue_url, dead_letter_url, s3
):
    """So that a person can grant access in the meantime."""
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "3"})
    notify(a=messages(5))
    with botocore.stub.Stubber(s3) as stub:
        stub.add_client_error("get_object", "AccessDenied", http_status_code=403)
        one = share(max_messages=1)
        one.run()
    assert read_depth(sqs, queue_url).in_flight == 1
    assert run(share())["rows"] == 5


def test_objects_that_would_end_an_import_are_refused_and_the_others_go_on(
    share, notify, sqs, queue_url, dead_letter_url, count
):
    for number, name in enumerate(["a%b", "a\0b"]):
        schema = {"type": "record", "name": "r", "fields": [{"name": name, "type": "int"}]}
        notify(**{f"bad-{number}": avro_file([{name: 1}], schema)})
    notify(good=messages(5))
    figures = run(share())
    assert (figures["rows"], figures["failed_messages"], count()) == (5, 2, 5)
    assert len(bodies(sqs, dead_letter_url)) == 2


def test_a_broken_connection_to_the_database_is_made_anew(
    notify, s3, sqs, queue_url, dead_letter_url, cleared_postgres_uri
):
    psycopg = pytest.importorskip("psycopg")
    notify(a=messages(5))
    notify(b=messages(5, first=5))
    opened: list[Any] = []

    def connect() -> Importer:
        opened.append(psycopg.connect(cleared_postgres_uri))
        return Importer(opened[-1], s3, JOB)

    def hang_up(**request: Any) -> None:
        if len(opened) == 1:
            with psycopg.connect(cleared_postgres_uri) as other:
                other.execute("SELECT pg_terminate_backend(%s)", (opened[0].info.backend_pid,))

    s3.meta.events.register("before-call.s3.GetObject", hang_up)
    one = QueueImport(sqs, queue_url, connect, wait_time_seconds=0)
    assert run(one) == {
        "objects": 2,
        "skipped_objects": 0,
        "changed_objects": 0,
        "missing_objects": 0,
        "not_matching_objects": 0,
        "failed_messages": 0,
        "dead_letters": 0,
        "rows": 10,
        "quarantined_rows": 0,
        "quarantined_blocks": 0,
        "bytes": sum(imported.size_bytes for imported in one.imported),
        "counts": {"1": 10},
        "uncounted_rows": 0,
        "complete": True,
    }
    assert len(opened) == 2


def test_an_answer_of_s3_that_stays_the_same_ends_the_task_if_no_dead_letter_queue_takes_the_message(
    share, notify, s3, sqs, queue_url
):
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    notify(a=messages(5))

    def refuse(**_: Any) -> None:
        answer = {"Error": {"Code": "InvalidArgument"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        raise botocore.exceptions.ClientError(answer, "GetObject")

    s3.meta.events.register("before-call.s3.GetObject", refuse)
    with pytest.raises(MessageStuck, match="InvalidArgument"):
        share().run()


def test_an_unexpected_failure_is_that_of_its_message(share, notify, sqs, s3, queue_url, dead_letter_url, count):
    for number in range(6):
        notify(**{f"part-{number}": messages(1, first=number)})
    with failing_for(s3, "part-0.avro"):
        figures = run(share())
    assert (figures["objects"], figures["failed_messages"], figures["complete"], count()) == (5, 1, False, 5)
    (body,) = bodies(sqs, dead_letter_url)
    assert "part-0.avro" in body


def test_unexpected_failures_in_a_row_end_the_run(share, notify, sqs, s3, queue_url, dead_letter_url):
    for number in range(6):
        notify(**{f"part-{number}": messages(1, first=number)})
    with (
        failing_for(s3, *(f"part-{number}.avro" for number in range(6))),
        pytest.raises(UnexpectedFailure, match="no such thing"),
    ):
        share().run()
    assert read_depth(sqs, dead_letter_url).total == 0
    assert read_depth(sqs, queue_url).total == 6


def test_if_the_table_is_wrong_only_one_message_pays(share, notify, sqs, queue_url, dead_letter_url):
    for number in range(5):
        notify(**{f"part-{number}": messages(1, first=number)})
    with pytest.raises(MissingTable):
        share(ImportJob("scored", "run")).run()
    time.sleep(1.1)  # the visibility timeout
    received = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
    assert sorted(int(one["Attributes"]["ApproximateReceiveCount"]) for one in received) == [1, 1, 1, 1, 2]


def test_an_import_is_not_complete_while_there_are_dead_letters(share, notify, sqs, queue_url, dead_letter_url):
    sqs.send_message(QueueUrl=dead_letter_url, MessageBody="left by an earlier import")
    notify(a=messages(1))
    figures = run(share())
    assert (figures["objects"], figures["dead_letters"], figures["complete"]) == (1, 1, False)


def test_dead_letters_that_cannot_be_counted_are_not_zero(share, notify, sqs, queue_url, dead_letter_url):
    sqs.delete_queue(QueueUrl=dead_letter_url)
    notify(a=messages(1))
    assert run(share())["dead_letters"] is None


def test_a_message_about_an_object_that_is_gone_may_be_deleted(share, notify, sqs, queue_url, dead_letter_url):
    notify(gone=None)
    notify(here=messages(1))
    figures = run(share(dataclasses.replace(JOB, on_missing_object="skip")))
    assert (figures["objects"], figures["missing_objects"], figures["complete"]) == (1, 1, False)
    assert (figures["failed_messages"], read_depth(sqs, queue_url).total) == (0, 0)
    assert read_depth(sqs, dead_letter_url).total == 0
