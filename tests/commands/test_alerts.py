"""``agari alerts``: what people type, what they are told, and with which exit code it ends."""

from __future__ import annotations

import argparse
import re
import sys
import time

import pytest

from airflow_agari_provider.airflow_runs import ANSWERS_EVERYWHERE
from airflow_agari_provider.commands import alerts
from airflow_agari_provider.commands.agari import main


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


def test_a_sweep_tells_its_figures_or_how_to_ask_airflow(capsys):
    if ANSWERS_EVERYWHERE:
        assert main(["alerts", "sweep"]) == 0
        assert capsys.readouterr().out.startswith("open 0, recovered 0, failed 0, sent 0")
    else:
        assert main(["alerts", "sweep"]) == 1
        assert "set [agari] airflow_api_conn_id" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-30T18:00", 1796061600),
        ("2026-11-30T18:00Z", 1796061600),
        (" 2026-11-30 18:00 ", 1796061600),
        ("2026-11-30T18:00+01:00", 1796058000),
        ("2026-11-30", 1795996800),
        ("2026-03-29T02:30+01:00", 1774747800),  # there is no such hour in Berlin
        ("1m", 1060),
        ("1.5h", 6400),
        ("3d", 260200),
        ("0m", 1000),
    ],
)
def test_a_time_is_in_utc_or_from_now(text, seconds, monkeypatch):
    monkeypatch.setattr(alerts.time, "time", lambda: 1000.0)
    assert alerts._moment(text) == seconds


@pytest.mark.parametrize("text", ["", "now", "2", "h", "-2h", "2w", "1e3h", "nan", "2026-13-01", "18:00", "2h\n3h"])
def test_anything_else_is_no_time(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is no time: give 2026-11-30T18:00"):
        alerts._moment(text)


def test_a_number_of_days_without_end_is_refused_like_any_that_is_too_long(capsys):
    assert main(["alerts", "silence", "--dag", "x", "--until", "9" * 400 + "d", "--why", "y"]) == 1
    assert "at most a year" in capsys.readouterr().err
