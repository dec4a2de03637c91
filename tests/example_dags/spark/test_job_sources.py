"""What keeps each job one file, fast, and fit for the oldest EMR: rules on the text, and its expressions one by one."""

from __future__ import annotations

import ast
import ipaddress
import runpy
from pathlib import Path

import pytest

JOBS = sorted((Path(__file__).parents[3] / "example_dags" / "spark").glob("*.py"))
SHARED = "# From here to the end: the same in both jobs"
BY_NAME = pytest.mark.parametrize("job", JOBS, ids=lambda path: path.stem)


def test_what_both_jobs_need_is_the_same_in_both():
    assert [job.name for job in JOBS] == ["build_trust_model.py", "score_messages.py"]
    first, second = (job.read_text().partition(SHARED)[2] for job in JOBS)
    assert len(first) > 1000
    assert first == second


@BY_NAME
def test_a_job_is_python_3_7(job):
    ast.parse(job.read_text(), feature_version=(3, 7))


@BY_NAME
def test_a_job_runs_in_the_jvm_alone(job):
    words = {
        word
        for node in ast.walk(ast.parse(job.read_text()))
        for word in (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None))
        if word
    }
    assert not words & {"udf", "pandas_udf", "mapInPandas", "mapInArrow", "applyInPandas", "rdd", "foreachPartition"}


ADDRESSES = [
    ("198.51.100.7", "198.51.100"),
    ("255.0.0.1", "255.0.0"),
    ("::ffff:198.51.100.7", "198.51.100"),
    ("2001:db8:7:1::25", "2001:db8:7"),
    ("2001:DB8:7::25", "2001:db8:7"),
    ("2001:db8::25", "2001:db8:0"),
    ("2001:db8:1:2:3:4:5:6", "2001:db8:1"),
    ("2001:db8::", "2001:db8:0"),
    ("256.0.0.1", None),
    ("1.2.3", None),
    ("1.2.3.4.5", None),
    ("1.2.3.4:25", None),
    ("1:2:3:4:5:6:7", None),
    ("1:2:3:4:5:6:7:8:9", None),
    ("1::2::3", None),
    ("fe80:::1", None),
    ("2001:db8::12345", None),
    ("unknown", None),
    ("", None),
]

SENDERS = [
    ("news@acme.example", "acme.example"),
    ('"Acme <3 you" <News@Mail.ACME.example>', "mail.acme.example"),
    ("Acme<news@acme.example> ", "acme.example"),
    ("news@acme", ""),
    ("<@acme.example>", ""),
    ("news@", ""),
    ("news@10.1.2.3", ""),
    ("a@acme.example, b@other.example", ""),
    ("undisclosed sender", ""),
]

REGISTERED = [
    ("acme.example", "acme.example"),
    ("a.b.acme.example", "acme.example"),
    ("news.acme.co.uk", "acme.co.uk"),
    ("acme.co.uk", "acme.co.uk"),
]

LOOKS = [
    ("acme.example", "acme"),
    ("acrne.test", "acme"),
    ("acme-secure-login.example", "acme"),
    ("4cm3.example", "acme"),
    ("mail.example", "mal"),
    ("harb0rbannk.example", "harborbank"),
    ("fem-online.example", "fem"),
    ("vvater1ily.example", "waterly"),
    ("waterlily.example", "waterly"),
]


@pytest.mark.spark
def test_expressions(spark):
    job = runpy.run_path(str(JOBS[1]), run_name="job")

    def answers(cases, name, expression):
        frame = spark.createDataFrame([(given,) for given, _ in cases], f"{name} STRING")
        return [row[0] for row in frame.select(expression).collect()]

    assert answers(ADDRESSES, "sending_ip", job["network"]()) == [network for _, network in ADDRESSES]
    assert answers(SENDERS, "header_from", job["from_domain"]()) == [domain for _, domain in SENDERS]
    assert answers(REGISTERED, "domain", job["organisational"]("domain")) == [domain for _, domain in REGISTERED]
    assert answers(LOOKS, "domain", job["look"]("domain")) == [look for _, look in LOOKS]


@pytest.mark.parametrize(("address", "network"), ADDRESSES, ids=[address for address, _ in ADDRESSES])
def test_the_cases_above_agree_with_the_standard_library(address, network):
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        assert network is None
    else:
        assert network is not None
        assert parsed.version in (4, 6)
