"""The command line: what people type, what they are told, and with which exit code it ends."""

from __future__ import annotations

import json
import re
import sys
import time

import pytest

from airflow_agari_provider.airflow_runs import ANSWERS_EVERYWHERE
from airflow_agari_provider.commands.agari import main


@pytest.fixture(autouse=True)
def claims(sqlite_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))
    monkeypatch.setenv("AIRFLOW__AGARI__ALERTS_CONN_ID", "claims")


def test_a_silence_is_made_listed_and_ended(capsys):
    asked = ["alerts", "silence", "--dag", "tele*", "--until", "2h", "--why", "upgrade", "--who", "ada"]
    assert main(asked) == 0
    made = capsys.readouterr().out
    found = re.fullmatch(r"(\w{8})  \d{4}-\d\d-\d\d \d\d:\d\d UTC to .* UTC  DAG tele\*, task \*  ada: upgrade\n", made)
    assert found
    assert (main(["alerts", "silences"]), capsys.readouterr().out) == (0, made)
    assert main(["alerts", "end-silence", found[1]]) == 0
    assert "is over" in capsys.readouterr().out
    assert (main(["alerts", "silences"]), capsys.readouterr().out) == (0, "There is no silence.\n")
    assert main(["alerts", "end-silence", found[1]]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--dag", "x", "--why", "y"], 2, "--until"),
        (["--dag", "x", "--until", "2h"], 2, "--why"),
        (["--dag", "x", "--until", "tomorrow", "--why", "y"], 2, "is no time"),
        (["--dag", "x", "--until", "2016-02-26T18:00", "--why", "y"], 1, "must end after it begins, and after now"),
        (["--dag", "x", "--until", "400d", "--why", "y"], 1, "at most a year"),
    ],
)
def test_a_wrong_silence_is_refused_with_what_is_wrong(arguments, code, says, capsys):
    with pytest.raises(SystemExit) as ended:
        sys.exit(main(["alerts", "silence", *arguments]))
    assert ended.value.code == code
    assert says in capsys.readouterr().err


def test_an_end_without_a_zone_is_in_utc(capsys):
    hour = time.strftime("%Y-%m-%dT%H:30", time.gmtime(time.time() + 7200))
    assert main(["alerts", "silence", "--dag", "x", "--until", hour, "--why", "y"]) == 0
    assert f"to {hour.replace('T', ' ')} UTC" in capsys.readouterr().out


def test_without_a_place_of_the_claims_it_says_what_to_set(monkeypatch, capsys):
    monkeypatch.delenv("AIRFLOW__AGARI__ALERTS_CONN_ID")
    assert main(["alerts", "silences"]) == 1
    assert "Set [agari] alerts_conn_id" in capsys.readouterr().err
    assert main(["alerts", "silences", "--claims-conn-id", "claims"]) == 0


def test_claims_that_cannot_be_used_are_one_sentence(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": "/nowhere/claims.db"}))
    assert main(["alerts", "silences"]) == 1
    assert "agari: The database of the claims cannot be used: OperationalError" in capsys.readouterr().err


def test_a_sweep_tells_its_figures_or_how_to_ask_airflow(capsys):
    if ANSWERS_EVERYWHERE:
        assert main(["alerts", "sweep"]) == 0
        assert capsys.readouterr().out.startswith("open 0, recovered 0, failed 0, sent 0")
    else:
        assert main(["alerts", "sweep"]) == 1
        assert "set [agari] airflow_api_conn_id" in capsys.readouterr().err
