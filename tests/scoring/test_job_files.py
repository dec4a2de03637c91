from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.job_files import (
    CountsUnreadable,
    ScriptMissing,
    UploadPlaceMissing,
    counts_of_job,
    read_counts,
    upload,
)
from tests.scoring.one_task_run import patience


def objects(s3: Any) -> dict[str, bytes]:
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="agari").get("Contents", [])]
    return {key: s3.get_object(Bucket="agari", Key=key)["Body"].read() for key in keys}


def test_a_script_is_uploaded_under_a_hash_of_its_contents(s3, bucket, tmp_path):
    script = tmp_path / "score.py"
    script.write_text("print(1)\n")
    url = upload(lambda: s3, str(script), "s3://agari/scripts/")
    assert url == "s3://agari/scripts/cc42155088fca573/score.py"
    assert objects(s3) == {"scripts/cc42155088fca573/score.py": b"print(1)\n"}


def test_the_same_script_is_uploaded_once_and_a_changed_one_next_to_it(s3, bucket, tmp_path):
    script = tmp_path / "score.py"
    script.write_text("print(1)\n")
    first = upload(lambda: s3, str(script), "s3://agari/scripts")
    written = s3.head_object(Bucket="agari", Key=first.removeprefix("s3://agari/"))["ETag"]
    assert upload(lambda: s3, str(script), "s3://agari/scripts") == first
    script.write_text("print(2)\n")
    second = upload(lambda: s3, str(script), "s3://agari/scripts")
    assert second != first
    assert s3.head_object(Bucket="agari", Key=first.removeprefix("s3://agari/"))["ETag"] == written


@pytest.mark.parametrize("url", ["s3://agari/score.py", "file:///usr/lib/spark/examples/pi.py"])
def test_a_url_is_left_as_it_is(url):
    assert upload(pytest.fail, url, None) == url


def test_a_script_that_is_not_there_is_an_error(s3, bucket):
    with pytest.raises(ScriptMissing, match=r"There is no file '/nowhere/score.py' on this worker"):
        upload(lambda: s3, "/nowhere/score.py", "s3://agari/scripts/")


def test_a_local_script_needs_a_place(s3, bucket, tmp_path):
    with pytest.raises(UploadPlaceMissing, match="Pass script_prefix"):
        upload(lambda: s3, str(tmp_path / "score.py"), None)


def put(s3: Any, key: str, *lines: str) -> None:
    s3.put_object(Bucket="agari", Key=key, Body="\n".join(lines).encode())


def test_counts_of_all_files_add_up(s3, bucket):
    put(s3, "counts/_SUCCESS")
    put(s3, "counts/.part-0.json.crc", "\x00")
    put(s3, "counts/_temporary/0/part-0.json", '{"stage":"read","key":"1","count":14}')
    put(s3, "counts/part-0.json", '{"stage":"read","key":"1","count":10}', '{"stage":"scored","key":"1","count":9}')
    put(
        s3,
        "counts/part-1.json",
        '{"stage":"read","key":"1","count":4}',
        '{"stage":"read","key":"\u2028","count":2}',
        "",
    )
    put(s3, "counts-of-yesterday/part-0.json", '{"stage":"read","key":"1","count":1000}')
    assert read_counts(s3, "s3://agari/counts") == {"read": {"1": 14, "\u2028": 2}, "scored": {"1": 9}}


def test_a_job_that_counted_nothing_has_no_counts(s3, bucket):
    put(s3, "counts/_SUCCESS")
    assert read_counts(s3, "s3://agari/counts/") == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        pytest.param(None, "there are no files", id="no files"),
        pytest.param("org,count", "'org,count' is not a count", id="no JSON"),
        pytest.param('["read", "1", 1]', "is not a count", id="no object"),
        pytest.param('{"stage": "read", "count": 1}', "is not a count", id="no key"),
        pytest.param('{"stage": "read", "key": "1", "count": null}', "is not a count", id="no number"),
    ],
)
def test_counts_that_cannot_be_read_say_what_to_do(s3, bucket, line, problem):
    if line is not None:
        put(s3, "counts/part-0.json", line)
    with pytest.raises(CountsUnreadable, match=problem) as error:
        read_counts(s3, "s3://agari/counts/")
    assert "The Spark job succeeded" in str(error.value)
    assert "before the task's next retry: it takes over the finished job and does not repeat it" in str(error.value)
    assert "A person who clears the task runs the job again" in str(error.value)


def test_a_bucket_that_is_not_there_makes_counts_unreadable(s3, bucket):
    with pytest.raises(CountsUnreadable, match="NoSuchBucket"):
        counts_of_job(AwsRequests(lambda: lambda service: s3), "s3://nowhere/counts/", patience())


def test_counts_are_asked_for_again_while_the_connection_is_away(s3, bucket):
    s3.put_object(Bucket="agari", Key="counts/part-0", Body=b'{"stage": "read", "key": "1", "count": 14}')
    left = [RuntimeError("502 Bad Gateway"), EndpointConnectionError(endpoint_url="http://away")]

    def connect():
        if left:
            raise left.pop()
        return lambda service: s3

    assert counts_of_job(AwsRequests(connect), "s3://agari/counts/", patience()) == {"read": {"1": 14}}
