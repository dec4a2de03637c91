"""Notes about submitted jobs, in the S3 of moto."""

from __future__ import annotations

import pytest

from airflow_agari_provider.scoring.aws_requests import AwsRequests
from airflow_agari_provider.scoring.job_notes import JobNotes, Note
from airflow_agari_provider.scoring.jobs import BackendRefused, BackendUnavailable

TOKEN, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def notes(s3, bucket):
    return JobNotes(AwsRequests(lambda: lambda service, **config: s3), (bucket, "no tes/"))


def told(found):
    return [(note.token, note.number, note.job_id) for note in found]


def test_an_intent_becomes_a_job_and_tells_whose_it_is(notes):
    notes.take(TOKEN, 0, "owner/ü")
    assert told(notes.of(TOKEN)) == [(TOKEN, 0, "")]
    notes.add_id(TOKEN, 0, "driver-1")
    (note,) = notes.of(TOKEN)
    assert told([note]) == [(TOKEN, 0, "driver-1")]
    assert notes.owner_of(note) == "owner/ü"


def test_a_place_is_taken_once(notes):
    notes.take(TOKEN, 0, "one")
    with pytest.raises(BackendUnavailable, match="another attempt of the same task does so"):
        notes.take(TOKEN, 0, "other")
    notes.take(TOKEN, 1, "other")
    notes.take(OTHER, 0, "other")
    assert notes.owner_of(Note(TOKEN, 0, 0.0)) == "one"


def test_notes_of_one_token_come_by_their_numbers_and_all_include_them(notes):
    for number in (10, 9, 0):
        notes.take(TOKEN, number, "x")
    notes.take(OTHER, 3, "x")
    assert [note.number for note in notes.of(TOKEN)] == [0, 9, 10]
    assert sorted(told(notes.all())) == [(TOKEN, 0, ""), (TOKEN, 9, ""), (TOKEN, 10, ""), (OTHER, 3, "")]


@pytest.mark.parametrize(
    "name",
    [
        "readme.txt",
        f"{TOKEN}/intent",
        f"{TOKEN}/0/a/b",
        f"{TOKEN}/x/intent",
        f"{TOKEN}/-1/intent",
        f"{TOKEN}/²/intent",
        f"{TOKEN}/{'9' * 500}/intent",
        f"{TOKEN}//intent",
        "A" * 32 + "/0/intent",
    ],
    ids=lambda name: ascii(name[-12:]),
)
def test_what_is_no_note_of_ours_is_passed_over(notes, s3, bucket, name):
    notes.take(TOKEN, 0, "x")
    s3.put_object(Bucket=bucket, Key=f"no tes/{name}", Body=b"")
    assert told(notes.of(TOKEN)) == told(notes.all()) == [(TOKEN, 0, "")]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"{}", b"\xff"], ids=ascii)
def test_a_note_that_is_damaged_is_named(notes, s3, bucket, body):
    s3.put_object(Bucket=bucket, Key=f"no tes/{TOKEN}/0/intent", Body=body)
    with pytest.raises(BackendRefused, match=f"whose job driver-1 is failed: s3://{bucket}/no tes/{TOKEN}/0/intent"):
        notes.owner_of(Note(TOKEN, 0, 0.0, "driver-1"))


def test_a_bucket_that_is_not_there_is_told_and_not_taken_for_no_jobs(s3):
    notes = JobNotes(AwsRequests(lambda: lambda service, **config: s3), ("nowhere", ""))
    with pytest.raises(BackendRefused, match=r"Looking for a job's notes on S3 failed: .*NoSuchBucket"):
        notes.of(TOKEN)
