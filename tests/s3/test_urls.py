from __future__ import annotations

import pytest

from airflow_agari_provider.s3.urls import hidden, is_below, split_url, uncommitted


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://agari/logs/a.gz", ("agari", "logs/a.gz")),
        ("s3a://agari/logs/", ("agari", "logs/")),
        ("s3n://agari", ("agari", "")),
        (
            "s3://arn:aws:s3:us-east-1:123456789012:accesspoint/scored/h=1/a.avro",
            ("arn:aws:s3:us-east-1:123456789012:accesspoint/scored", "h=1/a.avro"),
        ),
        (
            "s3://arn:aws:s3:us-east-1:123456789012:accesspoint:scored/a.avro",
            ("arn:aws:s3:us-east-1:123456789012:accesspoint:scored", "a.avro"),
        ),
        (
            "s3://arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap/",
            ("arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap", ""),
        ),
        (
            "s3://arn:aws:s3-outposts:us-east-1:123456789012:outpost/op-1/accesspoint/scored/h=1/a.avro",
            ("arn:aws:s3-outposts:us-east-1:123456789012:outpost/op-1/accesspoint/scored", "h=1/a.avro"),
        ),
        ("s3://agari/accesspoint/a.avro", ("agari", "accesspoint/a.avro")),
        ("s3://agari/dead#1/a?b", ("agari", "dead#1/a?b")),
    ],
)
def test_an_s3_url_has_a_bucket_and_a_key(url, expected):
    assert split_url(url) == expected


@pytest.mark.parametrize(
    "url", ["/tmp/a.avro", "s3:/agari/a", "https://b/k", "https://agari/a", "s3://", "s3:///k", ""]
)
def test_what_is_no_s3_url_is_refused(url):
    with pytest.raises(ValueError, match="not an S3 URL"):
        split_url(url)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("part-0.json", False),
        ("dt=1/part-0.json", False),
        ("_org=1/part-0.json", False),
        ("_SUCCESS", True),
        (".part-0.json.crc", True),
        ("_temporary/0/part-0.json", True),
        (".hive-staging/part-0.json", True),
        ("dt=1/", True),
    ],
)
def test_names_that_hadoop_hides_hide_all_below_them(path, expected):
    assert hidden(path) is expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("scored/dt=1/part-0.avro", False),
        ("_landing/part-0.avro", False),
        ("scored/_SUCCESS", False),
        ("scored/_temporary/0/part-0.avro", True),
        ("_temporary/0/part-0.avro", True),
        ("scored/__magic/job-1/part-0.avro", True),
        ("scored/.spark-staging-1/dt=1/part-0.avro", True),
    ],
)
def test_output_that_is_not_committed_is_known_by_its_folders(key, expected):
    assert uncommitted(key) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://b/hour=1/", True),
        ("s3://b/hour=1", True),
        ("s3a://b/hour=1/part-0", True),
        ("s3://b", True),
        ("s3://b/", True),
        ("s3://b/hour", False),
        ("s3://b/hour=10/", False),
        ("s3://other/hour=1/", False),
    ],
)
def test_an_object_is_below_its_folders_and_not_below_names_that_begin_alike(url, expected):
    assert is_below(url, "b", "hour=1/part-0") is expected
