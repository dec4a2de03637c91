from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_agari_provider.avro_import.changed_object import ObjectChanged
from airflow_agari_provider.avro_import.errors import ObjectBusy, ObjectsFailed, ObjectsFailedForNow
from airflow_agari_provider.avro_import.failures import failure_reason
from airflow_agari_provider.avro_import.importer import Importer
from airflow_agari_provider.avro_import.job import ImportJob
from airflow_agari_provider.avro_import.outcome import ImportedObject
from airflow_agari_provider.exceptions import BadAvro, UnimportableObject
from airflow_agari_provider.s3.errors import MissingObject, ObjectOverwritten
from airflow_agari_provider.s3.objects import ObjectStream, objects_at
from tests.avro.scored_messages import avro_file, message, messages
from tests.avro_import.importers import UPSERT, at_work


def test_an_object_is_loaded_with_its_counts(importer, put, rows):
    data = avro_file([message(1, 5), message(2, 6), message(3, 6)])
    put("a.avro", data)
    imported = importer(count_by="org_id").import_object("agari", "a.avro")
    assert imported == ImportedObject("s3://agari/a.avro", 3, len(data), {"5": 1, "6": 2})
    assert rows("SELECT message_id, org_id, hour, trust_score FROM scored ORDER BY 1") == [
        ("m1", 5, "2016-04-28T05", 0.5),
        ("m2", 6, "2016-04-28T05", 0.5),
        ("m3", 6, "2016-04-28T05", 0.5),
    ]
    assert rows("SELECT loaded_rows FROM agari_import_ledger") == [3]
    assert rows("SELECT reason FROM agari_import_failures") == []


def test_an_object_of_many_blocks_is_loaded_whole(importer, put, rows):
    put("a.avro", messages(5000))
    assert importer().import_object("agari", "a.avro").rows == 5000
    assert rows("SELECT COUNT(*) FROM scored") == [5000]


@pytest.mark.parametrize("mode", [{}, UPSERT], ids=["append", "upsert"])
def test_an_object_is_loaded_once_however_often_it_is_imported(importer, put, rows, mode):
    etag = put("a.avro", messages(10))
    first = importer(**mode)
    assert first.import_object("agari", "a.avro").skipped is False
    assert first.import_object("agari", "a.avro").skipped is True
    assert first.import_object("agari", "a.avro", etag=etag).skipped is True
    assert importer(**mode).import_object("agari", "a.avro").skipped is True
    assert len(rows()) == 10


def test_what_is_loaded_stays_loaded_when_the_object_is_gone(importer, put, s3):
    """A message that comes again after its object was moved to an archive is not a failure."""
    etag = put("a.avro", messages(1))
    importer().import_object("agari", "a.avro")
    s3.delete_object(Bucket="agari", Key="a.avro")
    assert importer().import_object("agari", "a.avro", etag=etag).skipped is True
    with pytest.raises(MissingObject):
        importer().import_object("agari", "a.avro")


@pytest.fixture
def statements(connect: Callable[[], Any], s3: Any, bucket: str) -> Callable[[Any], list[list[str]]]:
    """Imports objects one by one through psycopg; gives the statements of each import, except BEGIN and COMMIT."""
    import psycopg

    heard: list[str] = []

    class Heard(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            heard.append(query)
            return super().execute(query, *arguments, **options)

        def copy(self, statement: Any, *arguments: Any, **options: Any) -> Any:
            heard.append(statement)
            return super().copy(statement, *arguments, **options)

    def statements(found: Any) -> list[list[str]]:
        connection, taken = connect(), []
        connection.cursor_factory = Heard
        with closing(Importer(connection, s3, ImportJob("scored", "r", create_table=True))) as importer:
            for one in found:
                heard.clear()
                importer.import_object(one.bucket, one.key, etag=one.etag)
                taken.append(heard.copy())
        return taken

    return statements


@pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
def test_each_further_object_takes_few_round_trips(statements, put, s3, connect):
    """... because what is the same for all of them, the names of their table, is asked for once."""
    for number in range(6):
        put(f"{number}.avro", messages(5, first=number * 5))
    found = objects_at(s3, "s3://agari/")
    created, there, loaded = statements(found[:3]), statements(found[3:]), statements(found)
    assert [len(one) for one in (*created[1:], *there[1:])] == [11, 11, 11, 11]
    assert [len(one) for one in loaded[1:]] == [1, 1, 1, 1, 1]
    assert [sum("pg_namespace" in sql for one in taken for sql in one) for taken in (there, loaded)] == [2, 2]


@pytest.mark.parametrize("mode", [{}, UPSERT], ids=["append", "upsert"])
def test_importers_at_once_load_every_object_once(importer, put, rows, mode):
    """... the table does not exist when they begin, and all hold the same keys."""
    for number in range(6):
        put(f"{number}.avro", messages(200, first=number * 100))
    importers = [importer(**mode) for _ in range(3)]
    start = threading.Barrier(3, timeout=30)

    def load(one: Importer) -> int:
        start.wait()
        return sum(not one.import_object("agari", f"{number}.avro").skipped for number in range(6))

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(load, importers)) == 6
    assert rows("SELECT COUNT(*) FROM scored") == [700 if mode else 1200]


@pytest.mark.parametrize("connect", ["psycopg", "psycopg2", "mysqlclient"], indirect=True)
def test_importers_of_the_same_list_do_not_wait_for_each_other(importer, put, s3, connect):
    """... but take the objects that no other importer is loading, and come back for the rest."""
    for number in range(3):
        put(f"{number}.avro", messages(10, first=number * 10))
    second = importer()
    found = objects_at(s3, "s3://agari/")
    with at_work(connect, "s3://agari/0.avro"):
        with pytest.raises(ObjectBusy, match=r"s3://agari/0\.avro"):
            second.import_object("agari", "0.avro", wait=False)
        imported = second.import_objects(found)
    assert [one.url[-6:] for one in imported] == ["1.avro", "2.avro", "0.avro"]
    assert importer().import_object("agari", "0.avro", wait=False).skipped


def test_a_damaged_object_leaves_nothing_and_its_reason(importer, put, rows, connect):
    good = messages(5000)
    put("bad.avro", good[:-100])
    with pytest.raises(BadAvro, match="truncated"):
        importer().import_object("agari", "bad.avro")
    assert rows() == []
    assert rows("SELECT id FROM agari_import_ledger") == []
    with closing(connect()) as connection:
        assert "truncated" in str(failure_reason(connection, "agari", "bad.avro"))
        assert failure_reason(connection, "agari", "good.avro") is None
    put("bad.avro", good)
    assert importer().import_object("agari", "bad.avro").rows == 5000


def test_one_bad_object_does_not_keep_the_others_back(importer, put, rows, s3):
    put("day/1.avro", messages(3))
    put("day/2.avro", messages(3, first=3)[:-1])
    put("day/3.avro", messages(3, first=6))
    put("day/4.avro", b"not Avro")
    with pytest.raises(ObjectsFailed) as caught:
        importer().import_objects(objects_at(s3, "s3://agari/day"))
    assert (caught.value.imported, len(caught.value.reasons)) == (2, 2)
    assert "s3://agari/day/2.avro" in str(caught.value)
    assert rows() == ["m0", "m1", "m2", "m6", "m7", "m8"]


@pytest.fixture
def answer(s3: Any) -> Callable[..., None]:
    """Has S3 answer the requests for a key with an error, from here on."""

    def answer(key: str, status: int, code: str, operation: str = "GetObject") -> None:
        def handle(params: Any, **request: Any) -> Any:
            if params["url_path"].endswith(key):
                parsed = {"Error": {"Code": code, "Message": "No"}, "ResponseMetadata": {"HTTPStatusCode": status}}
                return SimpleNamespace(status_code=status), parsed
            return None

        s3.meta.events.register(f"before-call.s3.{operation}", handle)

    return answer


@pytest.mark.parametrize("connect", ["sqlite", "psycopg"], indirect=True)
@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AccessDenied", "kms:Decrypt"),
        (403, "InvalidObjectState", "restore-object"),
        (400, "KMS.DisabledException", "kms:Decrypt"),
    ],
)
def test_an_object_that_may_not_be_read_does_not_keep_the_others_back(
    importer, put, rows, s3, answer, connect, status, code, told
):
    for number in range(3):
        put(f"day/{number}.avro", messages(1, first=number))
    answer("day/0.avro", status, code)
    with pytest.raises(ObjectsFailed, match=rf"s3://agari/day/0\.avro is .*: .*{code}") as caught:
        importer().import_objects(objects_at(s3, "s3://agari/day"))
    assert told in str(caught.value)
    assert rows() == ["m1", "m2"]
    with closing(connect()) as connection:
        assert code in str(failure_reason(connection, "agari", "day/0.avro"))


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_an_answer_that_passes_ends_the_import_as_it_is(importer, put, s3, answer):
    """It is the same for all objects; a retry goes on."""
    put("day/0.avro", messages(1))
    answer("day/0.avro", 400, "ExpiredToken")
    with pytest.raises(ClientError, match="ExpiredToken"):
        importer().import_objects(objects_at(s3, "s3://agari/day"))


@pytest.mark.parametrize("connect", ["sqlite"], indirect=True)
def test_an_object_that_is_overwritten_does_not_keep_the_others_back_and_may_be_tried_again(
    importer, put, rows, s3, monkeypatch, connect
):
    for number in range(2):
        put(f"day/{number}.avro", messages(1, first=number))
    read = ObjectStream.read

    def overwritten(self: ObjectStream, size: int, /) -> bytes:
        if self.stored.key == "day/0.avro":
            raise ObjectOverwritten(self.stored.url)
        return read(self, size)

    monkeypatch.setattr(ObjectStream, "read", overwritten)
    with pytest.raises(ObjectsFailedForNow, match=r"s3://agari/day/0\.avro was overwritten") as caught:
        importer().import_objects(objects_at(s3, "s3://agari/day"))
    assert "1 object(s) could not be imported; 1 other(s) were." in str(pickle.loads(pickle.dumps(caught.value)))
    assert not isinstance(caught.value, UnimportableObject)
    assert rows() == ["m1"]
    with closing(connect()) as connection:
        assert "overwritten" in str(failure_reason(connection, "agari", "day/0.avro"))


@pytest.mark.parametrize("connect", ["psycopg"], indirect=True)
def test_rows_that_a_trigger_drops_do_not_keep_the_other_objects_back(importer, put, rows, s3, postgres_trigger):
    for number in range(3):
        put(f"day/{number}.avro", messages(1, first=number))
    with pytest.raises(ObjectsFailed, match="has 1 rows, but the database counted 0"):
        importer().import_objects(objects_at(s3, "s3://agari/day"))
    assert rows() == ["m0", "m2"]
    assert "trigger" in rows("SELECT reason FROM agari_import_failures")[0]


def test_a_failure_names_its_object(importer, put, s3):
    put("day/1.avro", avro_file([{}], schema={"type": "record", "name": "nothing", "fields": []}))
    with pytest.raises(ObjectsFailed, match=r"s3://agari/day/1\.avro: .*no fields"):
        importer().import_objects(objects_at(s3, "s3://agari/day"))


def test_changed_content_is_treated_as_told(importer, put, rows):
    put("a.avro", messages(2))
    importer(**UPSERT).import_object("agari", "a.avro")
    put("a.avro", messages(3))
    with pytest.raises(ObjectChanged):
        importer(**UPSERT).import_object("agari", "a.avro")
    assert importer(**UPSERT, on_changed_object="skip").import_object("agari", "a.avro").skipped
    assert len(rows()) == 2
    assert importer(**UPSERT, on_changed_object="replace").import_object("agari", "a.avro").rows == 3
    assert len(rows()) == 3


WINDOW = {"mode": "replace", "replace_where": "hour >= '2016-04-28T05' AND hour < '2016-04-28T06'"}


def test_a_window_is_replaced_as_often_as_wanted(importer, put, rows, s3):
    put("h4.avro", messages(2, first=40, hour="2016-04-28T04"))
    importer().import_object("agari", "h4.avro")
    put("h5/a.avro", messages(2, first=50))
    put("h5/b.avro", messages(2, first=52))
    for _ in range(2):
        imported = importer(**WINDOW).replace_window(objects_at(s3, "s3://agari/h5"))
        assert [one.rows for one in imported] == [2, 2]
        assert rows() == ["m40", "m41", "m50", "m51", "m52", "m53"]
    put("h5/b.avro", messages(1, first=55))
    importer(**WINDOW).replace_window(objects_at(s3, "s3://agari/h5"))
    assert rows() == ["m40", "m41", "m50", "m51", "m55"]
    assert importer(**WINDOW).replace_window([]) == []
    assert rows() == ["m40", "m41"]


def test_a_window_with_a_bad_object_stays_as_it_was(importer, put, rows, s3, connect):
    put("h5/a.avro", messages(2))
    importer(**WINDOW).replace_window(objects_at(s3, "s3://agari/h5"))
    put("h5/a.avro", messages(3))
    put("h5/b.avro", b"not Avro")
    with pytest.raises(BadAvro):
        importer(**WINDOW).replace_window(objects_at(s3, "s3://agari/h5"))
    assert len(rows()) == 2
    with closing(connect()) as connection:
        assert "not an Avro" in str(failure_reason(connection, "agari", "h5/b.avro"))
