"""The scoring job, run as a script on Avro files; read back by plain fastavro."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import fastavro
import pytest

from airflow_agari_provider.local.demo.messages import MESSAGE_SCHEMA
from tests.example_dags.spark.job_files import counts, message, records, write

pytestmark = pytest.mark.spark

WINDOW = ("--window-start", "2016-04-28T05:00:00Z", "--window-end", "2016-04-28T06:00:00+00:00")
REASONS = ("outside the window", "no sender", "unparsable address", "duplicate")
HISTORY = [message(f"h{day}.{n}", received_at=f"2016-04-2{day}T12:00:00") for day in (5, 6, 7) for n in range(10)]


@pytest.fixture
def model(run_job, tmp_path):
    """Knows acme.example and its network 198.51.100, from three days."""
    run_job(
        "build_trust_model.py", "--input", write(tmp_path / "history.avro", HISTORY), "--output", tmp_path / "model"
    )
    return tmp_path / "model"


@pytest.fixture
def score(run_job, model, tmp_path):
    def run(*arguments: object) -> Path:
        run_job(
            "score_messages.py",
            *("--model", model, "--output", tmp_path / "scored", "--counts", tmp_path / "counts"),
            *(WINDOW if "--window-start" not in arguments else ()),
            *arguments,
        )
        return tmp_path

    return run


def lines(key: str, read: int, scored: int, *skipped: int) -> dict[tuple[str, str], int]:
    stages = ["read", "scored", *[f"skipped: {reason}" for reason in REASONS]]
    return {(stage, key): count for stage, count in zip(stages, (read, scored, *skipped), strict=True)}


def test_every_message_is_scored_or_skipped_for_one_reason(score, tmp_path):
    # folders lie on purpose: the record's own org_id counts
    write(
        tmp_path / "in/dt=2016-04-28/hour=05/org_id=99/part-0.avro",
        [
            message("first instant", received_at="2016-04-28T05:00:00"),
            message("last instant", received_at="2016-04-28T05:59:59.999"),
            message("too early", received_at="2016-04-28T04:59:59.999"),
            message("too late", received_at="2016-04-28T06:00:00"),
            message("too late and without sender", received_at="2016-04-28T06:00:00", header_from=None),
            message("no sender", header_from=None),
            message("blank sender", header_from=" "),
            message("empty sender", header_from="<>"),
            message("no sender, no address", header_from="", sending_ip=None),
            message("no domain", header_from="undisclosed sender"),
            message("no address", sending_ip="256.1.2.3"),
            message("no address, and again", sending_ip=None),
            message("no address, and again", sending_ip=None),
            message("sent three times", received_at="2016-04-28T05:20:00", size_bytes=2),
            message("sent three times", received_at="2016-04-28T05:10:00", size_bytes=1),
            message("sent three times", received_at="2016-04-28T05:20:00", size_bytes=3),
            message("broken copy", received_at="2016-04-28T05:10:00", sending_ip="?"),
            message("broken copy", received_at="2016-04-28T05:20:00"),
        ],
    )
    write(
        tmp_path / "in/dt=2016-04-28/hour=05/org_id=14/part-0.avro",
        [message("sent three times", org_id=14), message("6", org_id=14, sending_ip="2001:db8:7::25")],
    )
    write(tmp_path / "in/dt=2016-04-28/hour=05/org_id=7/part-0.avro", [message("x", org_id=7, header_from=None)])

    score("--input", tmp_path / "in/dt=2016-04-28")

    assert counts(tmp_path / "counts") == {
        **lines("1", 18, 4, 3, 4, 5, 2),
        **lines("7", 1, 0, 0, 1, 0, 0),
        **lines("14", 2, 2, 0, 0, 0, 0),
    }
    scored = {(record["org_id"], record["message_id"]): record for record in records(tmp_path / "scored")}
    assert len(records(tmp_path / "scored")) == len(scored)
    assert {key: f"{record['received_at']:%H:%M:%S}" for key, record in scored.items()} == {
        (1, "first instant"): "05:00:00",
        (1, "last instant"): "05:59:59",
        (1, "sent three times"): "05:10:00",
        (1, "broken copy"): "05:20:00",
        (14, "sent three times"): "05:30:00",
        (14, "6"): "05:30:00",
    }
    assert scored[1, "first instant"] == {
        "message_id": "first instant",
        "org_id": 1,
        "hour": "2016-04-28T05",
        "received_at": datetime(2016, 4, 28, 5, tzinfo=UTC),
        "from_domain": "acme.example",
        "sending_ip": "198.51.100.7",
        "spf_result": "pass",
        "dkim_result": "pass",
        "dmarc_result": "pass",
        "trust_score": 99.95,
        "verdict": "trusted",
    }


def test_the_output_has_the_types_and_the_codec_that_importers_rely_on(score, tmp_path):
    score("--input", write(tmp_path / "in.avro", [message("1")]), "--files", 1)
    [path] = (tmp_path / "scored").glob("*.avro")
    with path.open("rb") as file:
        reader = fastavro.reader(file)
        assert reader.metadata["avro.codec"] == "deflate"
        types = {field["name"]: field["type"] for field in reader.writer_schema["fields"]}
    assert types == {
        "message_id": ["string", "null"],
        "org_id": ["int", "null"],
        "hour": ["string", "null"],
        "received_at": [{"type": "long", "logicalType": "timestamp-micros"}, "null"],
        "from_domain": ["string", "null"],
        "sending_ip": ["string", "null"],
        "spf_result": ["string", "null"],
        "dkim_result": ["string", "null"],
        "dmarc_result": ["string", "null"],
        "trust_score": ["double", "null"],
        "verdict": "string",
    }


def test_summaries_are_of_each_organisation_hour_and_registered_domain(score, tmp_path):
    forged = {"spf_result": "fail", "dkim_result": "none", "dkim_domain": None, "dmarc_result": "fail"}
    messages = [
        message("1"),
        message("2", header_from="x@news.acme.example", received_at="2016-04-28T05:59:59"),
        message("3", sending_ip="203.0.113.9", **forged),
        message("3", sending_ip="203.0.113.9", **forged),
        message("4", received_at="2016-04-28T06:00:00"),
        message("5", header_from=None),
        message("6", org_id=7, header_from="a@b.co.uk", envelope_from="a@b.co.uk", dkim_domain="b.co.uk"),
    ]
    window = ("--window-start", "2016-04-28T05:00:00Z", "--window-end", "2016-04-28T07:00:00Z")
    score("--input", write(tmp_path / "in.avro", messages), "--summaries", tmp_path / "summaries", *window)
    scores = {record["message_id"]: record["trust_score"] for record in records(tmp_path / "scored")}
    acme = round((scores["1"] + scores["2"] + scores["3"]) / 3, 2)
    assert sorted(records(tmp_path / "summaries"), key=str) == [
        summary(1, "2016-04-28T05", "acme.example", 3, acme, 0.3333),
        summary(1, "2016-04-28T06", "acme.example", 1, 99.95, 0.0),
        summary(7, "2016-04-28T05", "b.co.uk", 1, scores["6"], 0.0),
    ]
    assert (tmp_path / "summaries/_SUCCESS").exists()


def summary(org_id, hour, domain, messages, mean_trust, spoofed_share):
    return {
        "org_id": org_id,
        "hour": hour,
        "domain": domain,
        "messages": messages,
        "mean_trust": mean_trust,
        "spoofed_share": spoofed_share,
    }


def test_the_summaries_have_the_types_and_the_codec_that_importers_rely_on(score, tmp_path):
    score("--input", write(tmp_path / "in.avro", [message("1")]), "--summaries", tmp_path / "summaries")
    [path] = (tmp_path / "summaries").glob("*.avro")
    with path.open("rb") as file:
        reader = fastavro.reader(file)
        assert reader.metadata["avro.codec"] == "deflate"
        types = {field["name"]: field["type"] for field in reader.writer_schema["fields"]}
    assert types == {
        "org_id": ["int", "null"],
        "hour": ["string", "null"],
        "domain": ["string", "null"],
        "messages": "long",
        "mean_trust": ["double", "null"],
        "spoofed_share": ["double", "null"],
    }


def test_an_hour_without_messages_has_no_summaries(score, tmp_path):
    score("--input", tmp_path / "hour=03", "--summaries", tmp_path / "summaries")
    assert records(tmp_path / "summaries") == []
    assert (tmp_path / "summaries/_SUCCESS").exists()


NOTHING = {"spf_result": "none", "dkim_result": "none", "dkim_domain": None, "dmarc_result": "none"}
VERDICTS = {
    "as always": ({}, "trusted"),
    "forwarded, signature kept": ({"sending_ip": "203.0.113.9", "spf_result": "fail"}, "trusted"),
    "moved to a new server": ({"sending_ip": "203.0.113.9", "dkim_result": "none", "dkim_domain": None}, "trusted"),
    "forged, against the domain's policy": (
        {**NOTHING, "dmarc_result": "fail", "sending_ip": "203.0.113.9"},
        "untrusted",
    ),
    "forged, no policy": ({**NOTHING, "sending_ip": "203.0.113.9"}, "untrusted"),
    "forged, from a server the domain uses": (NOTHING, "suspicious"),
    "proof of another domain": ({"envelope_from": "x@other.example", "dkim_domain": "other.example"}, "suspicious"),
    "subdomain": ({"header_from": "x@news.acme.example"}, "trusted"),
    "subdomain without proof": (
        {**NOTHING, "header_from": "x@pay.acme.example", "sending_ip": "203.0.113.9"},
        "untrusted",
    ),
    "stranger on a known network": (
        {"header_from": "x@new.example", "envelope_from": "x@new.example", "dkim_domain": "new.example"},
        "trusted",
    ),
    "stranger on an unknown network": (
        {
            "header_from": "x@new.example",
            "envelope_from": "x@new.example",
            "dkim_domain": "new.example",
            "sending_ip": "203.0.113.9",
        },
        "suspicious",
    ),
    "look-alike on a known network": (
        {"header_from": "x@acrne.example", "envelope_from": "x@acrne.example", "dkim_domain": "acrne.example"},
        "untrusted",
    ),
    "known name with a word added": (
        {
            "header_from": "x@acme-login.example",
            "envelope_from": "x@acme-login.example",
            "dkim_domain": "acme-login.example",
        },
        "untrusted",
    ),
}


def test_verdicts(score, tmp_path):
    score("--input", write(tmp_path / "in.avro", [message(name, **fields) for name, (fields, _) in VERDICTS.items()]))
    verdicts = {record["message_id"]: record["verdict"] for record in records(tmp_path / "scored")}
    assert verdicts == {name: verdict for name, (_, verdict) in VERDICTS.items()}


def test_an_hour_without_uploads_counts_nothing_and_succeeds(score, tmp_path):
    score("--input", tmp_path / "hour=03", "--organisations", "7,14")
    assert counts(tmp_path / "counts") == {**lines("7", 0, 0, 0, 0, 0, 0), **lines("14", 0, 0, 0, 0, 0, 0)}
    assert records(tmp_path / "scored") == []


def test_hours_with_and_without_uploads_go_together(score, tmp_path):
    write(tmp_path / "hour=05/part-0.avro", [message("1")])
    score("--input", f"{tmp_path}/hour=04,{tmp_path}/hour=05", tmp_path / "hour=06", "--organisations", "")
    assert counts(tmp_path / "counts") == lines("1", 1, 1, 0, 0, 0, 0)


def test_only_the_organisations_asked_for_are_scored(score, tmp_path):
    messages = [message("a"), message("b", org_id=7), message("c", org_id=14)]
    score("--input", write(tmp_path / "in.avro", messages), "--organisations", 7, "14,25")
    assert counts(tmp_path / "counts") == {
        **lines("7", 1, 1, 0, 0, 0, 0),
        **lines("14", 1, 1, 0, 0, 0, 0),
        **lines("25", 0, 0, 0, 0, 0, 0),
    }
    assert {record["message_id"] for record in records(tmp_path / "scored")} == {"b", "c"}


def test_a_second_run_replaces_the_first_with_any_number_of_files(score, tmp_path):
    copies = [message(f"{n % 20}", received_at=f"2016-04-28T05:30:{n}") for n in range(10, 50)]
    messages = write(tmp_path / "in.avro", copies)
    score("--input", messages, "--files", 3)
    first = sorted(records(tmp_path / "scored"), key=str)
    assert len(list((tmp_path / "scored").glob("*.avro"))) == 3
    score("--input", messages, "--files", 2)
    assert len(list((tmp_path / "scored").glob("*.avro"))) == 2
    assert sorted(records(tmp_path / "scored"), key=str) == first
    assert counts(tmp_path / "counts") == lines("1", 40, 20, 0, 0, 0, 20)


def test_messages_without_an_id_are_an_error_and_not_copies_of_each_other(score, tmp_path):
    renamed = [{**field, "name": field["name"].replace("message_id", "id")} for field in MESSAGE_SCHEMA["fields"]]
    with (tmp_path / "renamed.avro").open("wb") as file:
        fastavro.writer(file, {**MESSAGE_SCHEMA, "fields": renamed}, [{**message("1"), "id": "1"}])
    with pytest.raises(Exception, match=r"a message has no message_id in file:.*renamed\.avro"):
        score("--input", tmp_path / "renamed.avro")


def test_an_empty_model_trusts_no_sender_without_a_history(run_job, tmp_path):
    run_job("build_trust_model.py", "--input", tmp_path / "nothing", "--output", tmp_path / "model")
    messages = write(tmp_path / "in.avro", [message("1")])
    run_job(
        "score_messages.py",
        *("--input", messages, "--model", tmp_path / "model", "--output", tmp_path / "scored"),
        *("--counts", tmp_path / "counts", *WINDOW),
    )
    assert [record["verdict"] for record in records(tmp_path / "scored")] == ["suspicious"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--window-start", "2016-04-28T06:00", "--window-end", "2016-04-28T06:00Z"), "not after its start"),
        ((*WINDOW, "--organisations", "acme"), "--organisations takes whole numbers"),
        (("--window-start", "yesterday", "--window-end", "2016-04-28T06:00"), "invalid instant value: 'yesterday'"),
    ],
    ids=["empty window", "organisation", "no date"],
)
def test_wrong_arguments_end_the_job_before_spark_starts(run_job, capsys, arguments, says):
    with pytest.raises(SystemExit):
        run_job("score_messages.py", "--input", "x", "--model", "x", "--output", "x", "--counts", "x", *arguments)
    assert says in capsys.readouterr().err
