"""The job that builds the trust model, run as a script on Avro files."""

from __future__ import annotations

import pytest

from tests.example_dags.spark.job_files import message, records, write

pytestmark = pytest.mark.spark

UNPROVED = {"spf_result": "none", "dkim_result": "none", "dkim_domain": None}


@pytest.fixture
def model_of(run_job, tmp_path):
    def run(messages):
        write(tmp_path / "in/dt=2016-04-27/org_id=1/part-0.avro", messages)
        run_job("build_trust_model.py", "--input", f"{tmp_path}/in,{tmp_path}/nothing", "--output", tmp_path / "model")
        rows = records(tmp_path / "model")
        found = {(row["kind"], row["subject"]): tuple(row.values())[2:] for row in rows}
        assert len(found) == len(rows)
        return {
            subject: (*counts, round(share, 2), round(trust, 3)) for subject, (*counts, share, trust) in found.items()
        }

    return run


def test_subjects_are_counted_and_smoothed(model_of):
    assert model_of(
        [
            message("1", received_at="2016-04-26T10:00:00"),
            message("2", received_at="2016-04-27T10:00:00", header_from="x@news.ACME.example"),
            message("3", received_at="2016-04-27T11:00:00", **UNPROVED, sending_ip="203.0.113.1"),
            message("4", envelope_from="x@other.example", dkim_domain="other.example", sending_ip="203.0.113.2"),
            message("no sender", header_from=None),
            message("no address", sending_ip="unknown"),
        ]
    ) == {
        # messages, days, share with a proof, (good + 0.4) / (messages + 2)
        ("domain", "acme.example"): (4, 2, 0.5, 0.4),
        ("network", "198.51.100"): (2, 2, 1.0, 0.6),
        ("network", "203.0.113"): (2, 2, 0.0, 0.1),
        ("pair", "acme.example 198.51.100"): (2, 2, 1.0, 0.6),
        ("pair", "acme.example 203.0.113"): (2, 2, 0.0, 0.1),
        ("look", "acme"): (4, 2, 0.5, 0.4),
    }


def test_a_domain_that_proves_nothing_is_known_by_its_steady_servers(model_of):
    steady = [message(f"s{n}", **UNPROVED, received_at=f"2016-04-2{5 + n % 2}T10:00:00") for n in range(8)]
    once = [message(f"o{n}", **UNPROVED, sending_ip="203.0.113.1") for n in range(2)]
    model = model_of([*steady, *once])
    assert model["pair", "acme.example 198.51.100"] == (8, 2, 0.0, 0.84)
    assert model["pair", "acme.example 203.0.113"] == (2, 1, 0.0, 0.1)
    assert model["domain", "acme.example"] == (10, 2, 0.0, 0.7)
