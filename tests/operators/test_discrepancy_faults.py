"""
Makes the table of docs/discrepancy_faults.md: each fault that the check once had is tried, and what is told is written.

``AGARI_WRITE_DOCS=1`` writes the page; without it, the page must be as the checks tell it today.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from airflow_agari_provider.exceptions import cut
from airflow_agari_provider.operators.discrepancy_check import DiscrepancyCheckOperator, Stage, Tolerance
from tests.docs.blocks import ROOT
from tests.operators.discrepancy_checks import context_of_run

PAGE = ROOT / "docs" / "discrepancy_faults.md"
HEAD = """\
# What each fault is told as today

Strangers found these faults in an early version of the [discrepancy check](discrepancy_check.md). A test
(`tests/operators/test_discrepancy_faults.py`) tries each of them again, with a mail server, Slack, VictorOps and a
history, and writes this table from what they got: it cannot say more than is so.

| | case | what was | what is told now | to whom |
|---|---|---|---|---|
"""


class Lab:
    """Runs checks, and knows who was told."""

    def __init__(self, alerts: Any, mails: list[Any]) -> None:
        self.alerts, self.mails = alerts, mails
        self.result: dict[str, Any] = {}
        self.error = ""

    def check(self, *counts: Any, hour: int = 20, retry: bool = False, **more: Any) -> Lab:
        """Run a check of the stages Collector, Agg, DB or fewer; keep its result or its error."""
        context = context_of_run()
        context["dag_run"].logical_date = datetime(2016, 2, 3, tzinfo=UTC) + timedelta(hours=hour)
        context["ti"].task_id, context["ti"].run_id = more.pop("task_id", "check"), f"run {hour}"
        context["ti"].try_number = 2 if retry else 1
        names = {2: ("Agg", "DB"), 3: ("Collector", "Agg", "DB")}.get(len(counts), ())
        stages = [Stage(name, counts=each) for name, each in zip(names, counts, strict=True)]
        settings = {"email_to": "ops@example.com", "slack_conn_id": "slack_hook", "victorops_conn_id": "victorops"}
        self.error, self.result = "", {}
        operator = DiscrepancyCheckOperator(
            task_id=context["ti"].task_id, **{"stages": stages, "recheck_after": None, **settings, **more}
        )
        try:
            self.result = operator.execute(context)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is told
            self.error = str(error)
            self.result = context["ti"].pushed.get("return_value", {})
        return self

    @property
    def whom(self) -> str:
        """The channels that were told, and how often; and the task's error."""
        got = {"mail": len(self.mails), "Slack": len(self.alerts.slack()), "VictorOps": len(self.alerts.victorops())}
        told = [name if number == 1 else f"{name} ({number} times)" for name, number in got.items() if number]
        return ", ".join([*told, *(["the task's error"] if self.error else [])]) or "nobody, as nothing is wrong"

    @property
    def finding(self) -> str:
        return str((self.result.get("findings") or [self.error])[0])

    def forget(self) -> None:
        self.alerts.forget()
        self.alerts.gate = None
        self.mails.clear()


@dataclass
class Case:
    fault: int
    what: str
    was: str
    told: Callable[[Lab], str]


def after_slack_was_down(lab: Lab) -> str:
    lab.alerts.gate = lambda path, *_: 404 if "/services/" in path else None
    lost = ({"5": 10}, {"5": 7})
    lab.check(*lost, history_conn_id="history", task_id="slack")
    lab.alerts.gate = None
    lab.check(*lost, retry=True, history_conn_id="history", task_id="slack")
    return "the retry tells Slack alone"


def known_but_never_told(lab: Lab) -> str:
    lab.alerts.gate = lambda path, *_: 404 if "/services/" in path else None
    lost = ({"5": 10}, {"5": 7})
    lab.check(*lost, history_conn_id="history", task_id="known")
    lab.forget()
    lab.check(*lost, hour=21, history_conn_id="history", task_id="known")
    return str(lab.alerts.slack()[0]["text"].split("• ")[1].split("\n")[0])


def two_bad_hours(lab: Lab) -> str:
    more = {"history_conn_id": "history", "task_id": "hours", "on_discrepancy": "alert"}
    for hour, stored in ((20, 10), (21, 10), (20, 20), (22, 20), (21, 20)):
        lab.check({"5": 20}, {"5": stored}, hour=hour, **more)
    return " → ".join(body["message_type"] for body in lab.alerts.victorops())


def steady_loss(lab: Lab) -> str:
    for hour in range(20):
        sent = 1000 + 37 * (hour * 7 % 11)
        more = {"history_conn_id": "history", "task_id": "steady", "on_discrepancy": "alert", "email_to": None}
        lab.check({"5": sent}, {"5": sent * 95 // 100 + hour % 3}, hour=hour, **more)
    lab.alerts.received[:] = [each for each in lab.alerts.received if "/services/" in each[0]]
    return f"of 20 runs, {len(lab.alerts.slack())} is told to Slack: {lab.finding.rpartition('; ')[2]}"


def only_the_second_reading(lab: Lab) -> str:
    readings = iter([{"5": 7, "6": 9}, {"5": 10, "6": 8}])
    lab.check(
        stages=[Stage("Agg", counts={"5": 10, "6": 9}), Stage("DB", call=lambda: next(readings))],
        recheck_after=timedelta(milliseconds=1),
    )
    return str(lab.result["text"].split("\n")[1].partition("0:00:00.001000. ")[2])


def keys(*counts: Any, **more: Any) -> Callable[[Lab], str]:
    def told(lab: Lab) -> str:
        lab.check(*counts, **more)
        return str(lab.result["text"].split("\n")[1]) if lab.result else lab.error

    return told


def large(lab: Lab) -> str:
    lab.check({"k" * 20_000: 2}, {"k" * 20_000: 1})
    result, lines = len(json.dumps(lab.result)), lab.finding
    lab.forget()
    many = {f"organisation {number:04}": 9 for number in range(1000)}
    lab.check(many, dict.fromkeys(many, 8))
    mail = len(lab.mails[0][1].as_bytes())
    fits = result < 10_000 and len(json.dumps(lab.result)) < 48 * 1024 and mail < 100 * 1024
    return f"`{cut(lines, 100, '...')}`: results below 48 KiB, the mail below 100 KiB: {'yes' if fits else 'no'}"


def stage_error(sql: str = "", **more: Any) -> Callable[[Lab], str]:
    def told(lab: Lab) -> str:
        lab.check(stages=[Stage("Agg", counts={"5": 1}), Stage("DB", sql=sql, conn_id="history", **more)])
        return lab.error

    return told


def template_as_tolerance(lab: Lab) -> str:
    try:
        Tolerance(percent="{{ params.percent }}")  # type: ignore[arg-type]
    except ValueError as error:
        lab.error = str(error)
    return lab.error


def mail_of_a_hostile_key(lab: Lab) -> str:
    lab.check({"a\u202eb": 2, "ż": 1}, {"a\u202eb": 1, "ż": 1})
    ((_, mail),) = lab.mails
    html, (attached,) = mail.get_body(("html",)).get_content(), mail.iter_attachments()
    shown = "a\\u202eb" in html and "\u202e" not in html
    signed = "▼" in html
    mark, sign = ("the mark as text", "guilty cells with a sign") if shown and signed else ("wrong", "wrong")
    return f"the mail has {mark}, {sign}, and a CSV in {attached.get_content_charset()}"


FEW, HALF = {f"k{n}": 2 for n in range(1000)}, {f"k{n}": 1 for n in range(1000)}
TINY = {f"k{n}": 2 for n in range(10_000)}
CASES = [
    Case(1, "all stages are empty", "ok, 0 of 0 keys", lambda lab: lab.check({}, {}, {}).finding),
    Case(
        1,
        "1,000 keys lose 1 of 2 each, `Tolerance(count=1)`",
        "ok, though half is lost",
        lambda lab: lab.check(FEW, HALF, tolerance=Tolerance(count=1)).finding,
    ),
    Case(
        1,
        "10,000 small keys lose everything, `min_volume=3`",
        "ok",
        lambda lab: lab.check(TINY, {}, tolerance=Tolerance(min_volume=3)).finding,
    ),
    Case(
        1,
        "Collector 43,115, Agg 1",
        "ok: skipped messages had no ceiling",
        lambda lab: lab.check({"5": 43115}, {"5": 1}, {"5": 1}).finding,
    ),
    Case(
        1,
        "an expected key is silent in every stage",
        "no row",
        lambda lab: lab.check({"5": 1}, {"5": 1}, expected_keys=["5", "12"], on_silent="alarm").finding,
    ),
    Case(
        2,
        "the history's database is down",
        "nobody was told",
        lambda lab: lab.check({"5": 2}, {"5": 1}, history_conn_id="down").finding,
    ),
    Case(
        2,
        "a key with a lone surrogate",
        "the mail ended with `UnicodeEncodeError`, Slack and VictorOps were not told",
        lambda lab: lab.check({"a\udc80": 2}, {"a\udc80": 1}).finding,
    ),
    Case(
        2,
        "a newline in `email_to`",
        "`ValueError`, nobody was told",
        lambda lab: lab.check({"5": 2}, {"5": 1}, email_to="a@example.com\nb@example.com").finding,
    ),
    Case(2, "Slack is down, and the task is retried", "all channels were told again", after_slack_was_down),
    Case(3, "Slack was down in the run before", "same as before, and Slack never heard", known_but_never_told),
    Case(
        4,
        "20:00 and 21:00 lose 10 each; 20:00 is repaired; 22:00 is good; 21:00 is repaired",
        "20:00's repair sent `RECOVERY` while 21:00 was bad, and 21:00 had no incident",
        two_bad_hours,
    ),
    Case(5, "a steady loss of 5 %", "51 Slack alerts in 100 runs", steady_loss),
    Case(6, "a key differs only in the second reading", "alarmed", only_the_second_reading),
    Case(
        7,
        "a number of 30 digits, and one of 5,000",
        "raw errors",
        keys({Decimal(10) ** 29: 1, 10**4999: 1}, {"1" + "0" * 29: 1, "1" + "0" * 4999: 1}),
    ),
    Case(7, "NULL, and the text `null`", "one key", keys({None: 1, "x": 1}, {"null": 1, "x": 1})),
    Case(
        7,
        "bytes, padded text, a UUID in capitals",
        "different keys",
        keys(
            {b"acme": 1, "b  ": 1, "6BA7B810-9DAD-11D1-80B4-00C04FD430C8": 1},
            {"acme": 1, "b": 1, "6ba7b810-9dad-11d1-80b4-00c04fd430c8": 1},
        ),
    ),
    Case(7, "stages that share no key", "everything lost, without a hint", keys({"a-5": 1}, {"5": 1})),
    Case(8, "a key of 20,000 characters; 1,000 bad keys", "1.1 MB in XCom; mails over 100 KiB", large),
    Case(9, "a statement without a result", "a raw error", stage_error("CREATE TABLE IF NOT EXISTS nothing (n INT)")),
    Case(9, "a query that fails", "an error that did not name its stage", stage_error("SELECT broken")),
    Case(9, 'JSON `{"5": 1, "5": 2}`', "2", keys('{"5": 1, "5": 2}', {"5": 3})),
    Case(9, "a tolerance that is a template", "failed at the first difference", template_as_tolerance),
    Case(10, "U+202E in a key", "the mail's line ran backwards; no charset; a pale pink", mail_of_a_hostile_key),
]


def test_the_page_says_what_each_fault_is_told_as(alerts, mails, sqlite_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_HISTORY", json.dumps({"conn_type": "sqlite", "host": str(sqlite_path)}))
    monkeypatch.setenv("AIRFLOW_CONN_DOWN", json.dumps({"conn_type": "postgres", "host": "127.0.0.1", "port": 1}))
    lab, lines = Lab(alerts, mails), []
    for case in CASES:
        lab.forget()
        lab.error = ""
        told = cut(" ".join(case.told(lab).split()), 230, "...").replace("|", "\\|").replace(str(sqlite_path), "file")
        lines.append(f"| {case.fault} | {case.what} | {case.was} | {told} | {lab.whom} |\n")
    text = HEAD + "".join(lines)
    if os.environ.get("AGARI_WRITE_DOCS"):
        PAGE.write_text(text)
    assert PAGE.read_text() == text
