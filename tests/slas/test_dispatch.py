"""Who hears of a miss, and of its end, when services, answers or the claims' database get lost on the way."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from functools import cache
from uuid import uuid4

import pytest

from airflow_agari_provider.airflow_compat import BaseHook, Stats
from airflow_agari_provider.alerts import delivery
from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sla import Run
from airflow_agari_provider.alerts.sla_payload import from_row
from airflow_agari_provider.alerts.threads import Patience
from airflow_agari_provider.hooks.victorops import VictorOpsHook
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import SlaAlert, claiming, deadline_callback, dispatch
from airflow_agari_provider.slas.deadline_callback import on_deadline
from airflow_agari_provider.slas.dispatch import dispatch_miss
from airflow_agari_provider.slas.sla_alert import sender_of
from tests.fix_alerts import SECRETS
from tests.slas.airflow_calls import (
    DATE,
    MISSED,
    RECOVERED,
    RUN,
    RUN_ID,
    SLACK,
    VICTOROPS,
    WEBHOOK,
    context,
    missed,
    recorded,
    succeeded,
)
from tests.slas.test_sla_alert import FailingNotifier

MISS = SlaMiss("telemetry", RUN_ID, "load", "2016-02-26T18:00:00")
LOST = "taken, then silence"


def message_types(alerts):
    return [alert["message_type"] for alert in alerts.victorops()]


def texts(alerts):
    return [message["text"] for message in alerts.slack()]


@pytest.fixture
def short_of_time(monkeypatch):
    """VictorOps has half a second for its first answer."""
    made, first = VictorOpsHook.__init__, [{"timeout": 0.5}]

    def make(hook, *ids, **options):
        made(hook, *ids, **options, **(first.pop() if first else {}))

    monkeypatch.setattr(VictorOpsHook, "__init__", make)


def test_a_page_whose_answer_got_lost_is_closed_when_the_task_comes_in(watch, states, alerts, short_of_time):
    alerts.failures = [LOST]
    states[:] = [{"load": "running"}, {"load": "success"}]
    told = watch(VICTOROPS)
    assert missed(told) == {"VictorOps victorops ": "may have been sent; not repeated"}
    assert message_types(alerts) == ["CRITICAL", "RECOVERY"]


@pytest.mark.parametrize("notifier", [SLACK, WEBHOOK], ids=["api", "webhook"])
def test_so_is_a_message_whose_answer_got_lost(notifier, watch, states, alerts):
    alerts.failures = [LOST]
    states[:] = [{"load": "running"}, {"load": "success"}]
    missed(watch(notifier))
    assert texts(alerts) == [MISSED, RECOVERED]


@pytest.mark.parametrize("notifier", [VICTOROPS, SLACK, WEBHOOK], ids=["victorops", "api", "webhook"])
def test_2_tells_the_end_of_what_may_have_been_sent(notifier, watch, airflow_2, states, alerts, short_of_time):
    alerts.failures = [LOST]
    told = watch(notifier)
    assert airflow_2(told, misses=[recorded(31)]) == 0
    states[:] = [{"load": "success"}]
    succeeded(told)
    assert airflow_2(told, misses=[recorded(31)]) == 1
    assert [body.get("text") or body["state_message"] for _, body in alerts.received if body.get("limit") is None] == [
        MISSED,
        RECOVERED,
    ]


def test_a_page_whose_sender_died_is_closed_when_the_task_comes_in_before_its_takeover(
    watch, states, alerts, monkeypatch
):
    def die(table, key, reference):
        raise KeyboardInterrupt

    told = watch(VICTOROPS)
    with monkeypatch.context() as patch:
        patch.setattr(ClaimTable, "mark_sent", die)
        with pytest.raises(KeyboardInterrupt):
            dispatch_miss(told, RUN, DATE, 1000.0).attempt(MISS, 1000.0)
    succeeded(told)
    assert message_types(alerts) == ["CRITICAL", "RECOVERY"]


def test_a_page_that_is_on_its_way_when_the_task_comes_in_is_closed_after_it_too(watch, states, alerts):
    told = watch(VICTOROPS)

    def come_in(path, body, port):
        if body["message_type"] == "CRITICAL":
            states[:] = [{"load": "success"}]
            succeeded(told)

    alerts.gate = come_in
    missed(told)
    assert message_types(alerts) == ["RECOVERY", "CRITICAL", "RECOVERY"]


def test_a_recovery_whose_answer_got_lost_is_not_told_twice(watch, states, alerts):
    told = watch(SLACK)
    missed(told)
    alerts.failures = [LOST]
    succeeded(told)
    assert texts(alerts) == [MISSED, RECOVERED]


@pytest.mark.parametrize("claims", ["sql:claims", ""], ids=["claims", "no claims"])
def test_a_fallback_that_was_told_is_told_the_end(claims, watch, states, alerts):
    alerts.failures = ["channel_not_found"]
    told = watch(SlaAlert(SLACK, fallback=VICTOROPS), claims=claims)
    missed(told)
    succeeded(told)
    assert message_types(alerts) == ["CRITICAL", "RECOVERY"]
    assert alerts.slack() == []


def test_the_fallback_of_a_digest_names_all_of_it(watch, states, alerts):
    async def storm():
        due = datetime.now(UTC)  # of all three, which are one window
        tasks = [
            watch(SlaAlert(SLACK, fallback=WEBHOOK), task_id=name, digest=6) for name in ("load", "extract", "report")
        ]
        contexts = [{**context(str(n)), "deadline": {"id": str(n), "deadline_time": due}} for n in range(3)]
        await asyncio.gather(*(on_deadline(task.to_json(), one) for task, one in zip(tasks, contexts, strict=True)))

    states[:] = [{"load": "running", "extract": "running", "report": None}]
    alerts.gate = lambda path, body, port: "channel_not_found" if path.endswith("chat.postMessage") else None
    asyncio.run(storm())
    assert len(alerts.slack()) == 2
    assert texts(alerts)[1] == "EP_STAGE - telemetry SLA Miss for 2 more"


def no_right_to_create(request):
    """A PostgreSQL whose role may read and write, and create nothing."""
    driver = pytest.importorskip("psycopg2")
    uri, role = request.getfixturevalue("postgres_uri"), f"role_{uuid4().hex[:8]}"
    with closing(driver.connect(uri)) as owner, owner, owner.cursor() as cursor:
        cursor.execute(f"REVOKE CREATE ON SCHEMA public FROM public; CREATE ROLE {role} LOGIN")
    parts = driver.extensions.parse_dsn(uri)
    return {"conn_type": "postgres", "login": role, "schema": parts["dbname"], "extra": {"host": parts["host"]}}


@pytest.mark.parametrize("trouble", ["down", "missing", "no right to create"])
def test_without_its_claims_a_page_goes_out_after_three_minutes_and_is_closed(
    trouble, watch, states, alerts, monkeypatch, request, caplog
):
    told = watch(VICTOROPS, SLACK, claims="sql:nowhere" if trouble == "missing" else "sql:claims")
    if trouble == "no right to create":
        monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps(no_right_to_create(request)))
    if trouble == "down":
        monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": "/nowhere/claims.db"}))
    sending = dispatch_miss(told, RUN, DATE, 1000.0)
    sending.attempt(MISS, 1000.0)
    assert alerts.received == []
    assert sending.attempt(MISS, 1030.0) is not None
    assert sending.outcomes == {"VictorOps victorops ": "sent", "Slack slack_api C012AB3CD": ""}
    assert sending.attempt(MISS, 1180.0) is not None
    assert sending.outcomes == {"VictorOps victorops ": "sent", "Slack slack_api C012AB3CD": "sent"}
    assert "may come twice" in alerts.slack()[0]["blocks"][-1]["text"]["text"]
    error, _ = [record.getMessage() for record in caplog.records if "without a claim" in record.getMessage()]
    assert {"down": "unable to open", "missing": "nowhere", "no right to create": "permission denied"}[trouble] in error
    succeeded(told)
    assert message_types(alerts) == ["CRITICAL", "RECOVERY"]
    assert len(alerts.slack()) == 1


@pytest.fixture
def silent_claims(monkeypatch):
    """The claims' database accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        value = {"conn_type": "postgres", "host": "127.0.0.1", "port": server.getsockname()[1], "schema": "x"}
        monkeypatch.setenv("AIRFLOW_CONN_SILENT", json.dumps(value))
        monkeypatch.setattr(claiming, "_patience", cache(lambda conn_id: Patience(0.2, 600)))
        yield


def test_claims_that_never_answer_delay_an_alert_and_stop_nobody(silent_claims, watch, states, alerts, caplog):
    told = watch(VICTOROPS, SLACK, claims="sql:silent")
    sending = dispatch_miss(told, RUN, DATE, 1000.0)
    sending.attempt(MISS, 1000.0)
    sending.attempt(MISS, 1180.0)
    assert list(sending.outcomes.values()) == ["sent", "sent"]
    assert "it did not answer within 0.2 s" in caplog.text
    succeeded(told)
    assert message_types(alerts) == ["CRITICAL", "RECOVERY"]


def test_what_came_in_while_its_page_was_sent_without_a_claim_is_closed(watch, states, alerts, monkeypatch):
    monkeypatch.setattr(delivery, "REPEATABLE_UNCLAIMED_AFTER", 0)
    monkeypatch.setattr(dispatch, "GIVE_UP_AFTER", 0.5)  # what cannot be recorded is tried for as long
    states[:] = [{"load": "running"}, {"load": "success"}]
    missed(watch(VICTOROPS, claims="sql:nowhere"))
    assert message_types(alerts) == ["CRITICAL", "RECOVERY"]


def test_a_task_that_is_certainly_in_time_does_not_touch_the_claims(watch, states, alerts, monkeypatch):
    def touched(claims):
        raise AssertionError(f"{claims} was touched")

    monkeypatch.setattr(dispatch, "claims_of", touched)
    succeeded(watch(SLACK, VICTOROPS), start=datetime.now(UTC))
    states[:] = [{"load": "success"}]
    monkeypatch.setattr(deadline_callback, "make_ready", lambda watch: None)
    monkeypatch.setattr(deadline_callback, "dispatch_miss", lambda *_: None)
    assert missed(watch(SLACK, VICTOROPS)) == "in time"


def test_2_sends_a_message_without_a_claim_once_and_records_it_later(watch, airflow_2, states, alerts, monkeypatch):
    told, late = watch(SLACK), recorded(40)
    where = os.environ["AIRFLOW_CONN_CLAIMS"]
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": "/nowhere/claims.db"}))
    for _ in range(3):
        assert airflow_2(told, misses=[late]) == 0
    assert texts(alerts) == [MISSED]
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", where)
    assert airflow_2(told, misses=[late]) == 0
    assert late.description is None
    states[:] = [{"load": "success"}]
    assert airflow_2(told, misses=[late]) == 1
    assert texts(alerts) == [MISSED, RECOVERED]


def test_a_task_in_time_sends_no_alert_while_the_claims_are_down(watch, states, alerts):
    succeeded(watch(VICTOROPS, claims="sql:nowhere"), start=datetime.now(UTC))
    assert alerts.received == []


def test_a_template_that_cannot_be_rendered_is_refused_and_the_fallback_told(watch, states, alerts):
    broken = VictorOpsSlaMissNotifier(victorops_conn_id="victorops", text="{{ ti.task_id }}")
    told = watch(SlaAlert(broken, fallback=WEBHOOK))
    assert missed(told) == {"VictorOps victorops ": "refused", "Slack slack_hook ": "sent"}


def test_2_calls_another_provider_s_failing_notifier_five_times(watch, airflow_2, alerts, monkeypatch):
    calls = []
    monkeypatch.setattr(FailingNotifier, "notify", lambda notifier, context: calls.append(1) or 1 / 0)
    told = watch(SlaAlert(FailingNotifier("x"), fallback=WEBHOOK))
    for _ in range(8):
        airflow_2(told, misses=[recorded(31)])
    assert len(calls) == 5
    assert texts(alerts) == [MISSED]


def test_who_is_told_after_a_service_that_took_its_time_has_a_lease_from_then_on(watch, states, alerts, monkeypatch):
    claimed = []
    claim = ClaimTable.claim
    monkeypatch.setattr(
        ClaimTable, "claim", lambda table, key, now, *more: claimed.append(now) or claim(table, key, now, *more)
    )
    alerts.failures = ["silence"]
    monkeypatch.setattr("airflow_agari_provider.notifications.slack_sla_miss.TIMEOUT", 1)
    hooks = [SlackSlaMissNotifier(slack_conn_id="slack_hook", channel=name) for name in ("one", "two")]
    dispatch_miss(watch(*hooks), RUN, DATE, 1000.0).attempt(MISS, 1000.0)
    first, second = claimed
    assert second - first >= 1


def test_two_slas_of_one_task_are_two_misses(watch, states, alerts):
    half_hour, hour, by = watch(SLACK), watch(SLACK, sla=3600), watch(SLACK, sla=0, by="06:00:00 UTC")
    outcomes = [missed(one, deadline=str(n)) for n, one in enumerate((half_hour, hour, by, half_hour))]
    assert [list(one.values()) for one in outcomes] == [["sent"], ["sent"], ["sent"], ["sent already"]]
    for one in (half_hour, hour, by):
        succeeded(one)
    assert texts(alerts) == [MISSED] * 3 + [RECOVERED] * 3
    assert [message.get("thread_ts") for message in alerts.slack()][3:] == [f"17.{n:06}" for n in (1, 2, 3)]


def test_the_row_of_an_alert_tells_a_later_process_what_it_was_about(watch, states, alerts, sqlite_path):
    missed(watch(SLACK, SlaAlert(VICTOROPS, fallback=WEBHOOK)))
    with closing(sqlite3.connect(sqlite_path)) as connection:
        columns = "state, run, task, destination, incident, due_at, recovered_at, payload"
        rows = connection.execute(f"SELECT {columns} FROM agari_alert_claims ORDER BY destination").fetchall()
    (slack, victorops) = rows
    name = f"EP_STAGE|telemetry|{RUN_ID}"
    assert slack[:5] == ("sent", name, "load", "Slack slack_api C012AB3CD", f"airflow/EP_STAGE/telemetry/{RUN_ID}/load")
    assert (victorops[3], victorops[6]) == ("VictorOps victorops ", None)
    assert abs(slack[5] - time.time()) < 60
    sla, run = from_row(victorops[7])
    assert (run, sla.task_id, sla.claims, sla.text) == (RUN, "load", "sql:claims", "1800")
    assert [sender_of(alert).name for alert in sla.alerts] == ["VictorOps"]
    assert not [secret for secret in SECRETS if secret in slack[7] + victorops[7]]
    with closing(sqlite3.connect(sqlite_path)) as connection:
        columns = "environment, dag_id, run_id, task_owner, service, sla, step, standing, sent_at"
        (*known, sent_at) = connection.execute(
            f"SELECT {columns} FROM agari_alert_claims WHERE service = 'VictorOps'"
        ).fetchone()
    assert known == ["EP_STAGE", "telemetry", RUN_ID, "", "VictorOps", "1800", 0.0, "late"]
    assert abs(sent_at - time.time()) < 60


def test_no_log_shows_what_a_webhook_answers(watch, states, alerts, caplog):
    caplog.set_level(logging.DEBUG)
    alerts.gate = lambda path, body, port: (404, {}, f"Cannot POST {path}")
    missed(watch(WEBHOOK))
    assert "was refused. Slack: it answered 404" in caplog.text
    assert "hush-webhook" not in caplog.text


def test_a_service_that_asks_for_hours_is_asked_again(watch, states, alerts):
    alerts.failures = [(429, {"Retry-After": "4000"})]
    sending = dispatch_miss(watch(VICTOROPS), RUN, DATE, 1000.0)
    assert 800 < sending.attempt(MISS, 1000.0) <= delivery.LONGEST_RETRY_AFTER
    assert sending.attempt(MISS, 1000.0 + delivery.LONGEST_RETRY_AFTER + 60) is None
    assert message_types(alerts) == ["CRITICAL"]


SEND = """
import json, sys, time
from datetime import UTC, datetime
from airflow_agari_provider.alerts.miss import SlaMiss
from airflow_agari_provider.alerts.sla import Run, Watch
from airflow_agari_provider.slas.dispatch import dispatch_miss, make_ready

watch, now = Watch.from_json(sys.argv[1]), datetime.now(UTC)
sending = dispatch_miss(watch, Run("telemetry", "run", now), now, time.time())
make_ready(watch)
ready = set(sys.modules)
sending.attempt(SlaMiss("telemetry", "run", "load", "2016-02-26T18:00:00"), time.time())
imported = {name.partition(".")[0] for name in set(sys.modules) - ready}
print(json.dumps([list(sending.outcomes.values()), sorted(imported)]))
"""


def test_who_is_ready_for_alerts_imports_nothing_of_weight_when_they_are_sent(watch, alerts):
    told = watch(SLACK, VICTOROPS)
    answer = subprocess.run([sys.executable, "-c", SEND, told.to_json()], stdout=subprocess.PIPE, text=True, check=True)
    outcomes, imported = json.loads(answer.stdout.splitlines()[-1])
    assert outcomes == ["sent", "sent"]
    assert not {"airflow", "airflow_agari_provider", "requests", "slack_sdk", "sqlalchemy"} & set(imported)


def test_who_is_paged_does_not_wait_for_slack(watch, states, alerts):
    missed(watch(SLACK, WEBHOOK, VICTOROPS))
    assert [path.split("/")[1] for path, _ in alerts.received] == ["integrations", "api", "services"]


def test_an_answer_that_got_lost_is_looked_up(watch, states, alerts):
    alerts.failures = ["taken, then silence"]
    assert missed(watch(SLACK)) == {"Slack slack_api C012AB3CD": "found sent"}
    assert [message["text"] for message in alerts.slack()] == [MISSED]


def test_services_that_are_down_get_their_alerts_later(watch, states, alerts):
    alerts.failures = [(429, {"Retry-After": "0"}), 503, 500, 503, None]
    missed(watch(WEBHOOK, VICTOROPS))
    assert [message["text"] for message in alerts.slack()] == [MISSED]
    assert len(alerts.victorops()) == 1


def test_a_database_of_claims_that_is_down_delays_the_alert(watch, states, alerts, monkeypatch, sqlite_path):
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps({"conn_type": "sqlite", "host": "/nowhere/claims.db"}))
    now = 1000.0
    sending = dispatch_miss(watch(VICTOROPS), Run("telemetry", RUN_ID, DATE), DATE, now)
    assert 0 <= sending.attempt(None, now) <= 0.05
    assert alerts.received == []
    assert sending.attempt(None, now + dispatch.GIVE_UP_AFTER) is None


def test_where_a_service_refuses_the_fallback_is_told(watch, states, alerts):
    alerts.failures = [404]
    assert missed(watch(SlaAlert(VICTOROPS, fallback=WEBHOOK))) == {
        "VictorOps victorops ": "refused",
        "Slack slack_hook ": "sent",
    }
    assert [message["text"] for message in alerts.slack()] == [MISSED]


def test_airflow_s_metrics_count_what_is_sent_and_what_is_not(watch, states, alerts, monkeypatch):
    counted = []
    monkeypatch.setattr(Stats, "incr", lambda name, tags: counted.append((name, tags["service"])))
    alerts.failures = [404]
    missed(watch(SlaAlert(VICTOROPS, fallback=WEBHOOK)))
    assert counted == [("agari.alerts.failed", "VictorOps"), ("agari.alerts.sent", "Slack")]
    monkeypatch.setattr(deadline_callback, "_jobs", {})  # another process
    missed(watch(SlaAlert(VICTOROPS, fallback=WEBHOOK)))
    assert len(counted) == 2


def test_a_connection_that_is_missing_is_one_error_of_all_triggerers(watch, states, alerts, caplog, monkeypatch):
    monkeypatch.setattr(dispatch, "MISSING_FOR", 0.2)
    told = watch(SlaAlert(VictorOpsSlaMissNotifier(victorops_conn_id="nowhere"), fallback=WEBHOOK))
    assert missed(told) == {"VictorOps nowhere ": "refused", "Slack slack_hook ": "sent"}
    monkeypatch.setattr(deadline_callback, "_jobs", {})  # another process
    assert missed(told) == {"VictorOps nowhere ": "refused already", "Slack slack_hook ": "sent already"}
    ours = [record for record in caplog.records if record.name.startswith("airflow_agari_provider")]
    (error,) = [record.getMessage() for record in ours if record.levelname == "ERROR"]
    assert "nowhere" in error


@pytest.fixture
def unreadable(monkeypatch):
    """Makes Airflow say for a while that a connection is missing, as it does when its database or a Vault is down."""

    def make(conn_id, times=3):
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
        value, asked = os.environ[name], []
        monkeypatch.delenv(name)
        read = BaseHook.get_connection.__func__

        def get_connection(cls, asked_for):
            asked.append(asked_for)
            if asked.count(conn_id) > times:
                os.environ[name] = value
            return read(cls, asked_for)

        monkeypatch.setattr(BaseHook, "get_connection", classmethod(get_connection))

    return make


@pytest.mark.parametrize(
    ("notifier", "conn_id"),
    [(SLACK, "slack_api"), (WEBHOOK, "slack_hook"), (VICTOROPS, "victorops"), (SLACK, "claims")],
)
def test_a_connection_that_cannot_be_read_for_a_moment_delays_the_alert(
    notifier, conn_id, watch, states, alerts, unreadable
):
    unreadable(conn_id)
    assert list(missed(watch(notifier)).values()) == ["sent"]
    assert [body.get("text") or body["state_message"] for _, body in alerts.received] == [MISSED]
