"""What the callbacks do with what Airflow tells them; the states of tasks are told by the test."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from airflow_agari_provider import airflow_runs
from airflow_agari_provider.airflow_compat import BaseHook, Stats
from airflow_agari_provider.alerts import delivery
from airflow_agari_provider.alerts.sla import Run, Watch
from airflow_agari_provider.notifications.slack_sla_miss import SlackSlaMissNotifier
from airflow_agari_provider.notifications.victorops_sla_miss import VictorOpsSlaMissNotifier
from airflow_agari_provider.slas import SlaAlert, deadline_callback, dispatch, recovery_callback, sla_miss_callback
from airflow_agari_provider.slas.deadline_callback import on_deadline
from airflow_agari_provider.slas.dispatch import dispatch_miss
from airflow_agari_provider.slas.recovery_callback import OnSuccess
from airflow_agari_provider.slas.sla_miss_callback import OnSlaMiss

RUN_ID = "scheduled__2016-02-26T18:00:00+00:00"
DATE = datetime(2016, 2, 26, 18, tzinfo=UTC)
MISSED = "EP_STAGE - telemetry SLA Miss for task load on 2016-02-26T18:00:00"
RECOVERED = "EP_STAGE - telemetry SLA Miss recovered for task load on 2016-02-26T18:00:00"
SLACK = SlackSlaMissNotifier(slack_conn_id="slack_api", channel="C012AB3CD")
WEBHOOK = SlackSlaMissNotifier(slack_conn_id="slack_hook")
VICTOROPS = VictorOpsSlaMissNotifier(victorops_conn_id="victorops")


@pytest.fixture
def watch(sqlite_path, monkeypatch):
    """An SLA of half an hour, with alerts of its own; ``claims`` is a connection to a database."""
    value = {"conn_type": "sqlite", "host": str(sqlite_path)}
    monkeypatch.setenv("AIRFLOW_CONN_CLAIMS", json.dumps(value))

    def make(*alerts, **changes):
        specifications = [(one if isinstance(one, SlaAlert) else SlaAlert(one)).specification() for one in alerts]
        known = {"task_id": "load", "sla": 1800, "claims": "sql:claims", "environment": "EP_STAGE"}
        return Watch(**{**known, "alerts": specifications, "carriers": ["load"], **changes})

    return make


@pytest.fixture
def states(monkeypatch):
    """Answers of Airflow about the run's tasks, one after the other; the last one stays."""
    answers: list = [{"extract": "success", "load": "running"}]

    def read_run(dag_id, run_id):
        assert (dag_id, run_id) == ("telemetry", RUN_ID)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return "running", answer

    monkeypatch.setattr(airflow_runs, "read_run", read_run)
    return answers


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(delivery, "BUSY_PAUSE", 0.05)
    monkeypatch.setattr(dispatch, "UNEXPECTED_PAUSE", 0.05)
    monkeypatch.setattr(deadline_callback, "UNEXPECTED_PAUSE", 0.05)
    monkeypatch.setattr(deadline_callback, "_jobs", {})


def context(deadline="1", run_type="scheduled"):
    return {
        "dag_run": {
            "dag_id": "telemetry",
            "dag_run_id": RUN_ID,
            "logical_date": "2016-02-26T18:00:00Z",
            "run_type": run_type,
        },
        "deadline": {"id": deadline, "deadline_time": datetime.now(UTC) - timedelta(seconds=2)},
    }


def missed(watch, **changes):
    return json.loads(asyncio.run(on_deadline(watch.to_json(), context(**changes))))


def succeeded(watch, map_index=-1, start=DATE, **facts):
    ti = SimpleNamespace(dag_id="telemetry", task_id="load", run_id=RUN_ID, map_index=map_index)
    run = SimpleNamespace(**{"logical_date": DATE, "start_date": start, "run_after": start, **facts})
    OnSuccess(watch)({"ti": ti, "dag_run": run})


def test_a_late_task_is_told_to_everybody(watch, states, alerts):
    assert missed(watch(SLACK, VICTOROPS)) == {"Slack slack_api C012AB3CD": "sent", "VictorOps victorops ": "sent"}
    assert [message["text"] for message in alerts.slack()] == [MISSED]
    assert [(alert["message_type"], alert["state_message"]) for alert in alerts.victorops()] == [("CRITICAL", MISSED)]
    assert alerts.victorops()[0]["blocking_tasks"] == "load (running)"


def test_a_task_in_time_is_not_told(watch, states, alerts):
    states[:] = [{"load": "success"}]
    assert missed(watch(SLACK, VICTOROPS)) == "in time"
    assert alerts.received == []


def test_runs_that_are_not_watched_are_not_told(watch, states, alerts):
    assert missed(watch(SLACK, silent_for=["backfill"]), run_type="backfill") == "not watched: backfill"
    assert alerts.received == []


def test_a_late_task_that_comes_in_is_told_in_the_thread_and_closes_the_incident(watch, states, alerts):
    told = watch(SLACK, VICTOROPS)
    missed(told)
    for _ in range(2):  # as where Airflow runs a callback twice
        succeeded(told, start=datetime.now(UTC))
    assert [(message["text"], message.get("thread_ts")) for message in alerts.slack()] == [
        (MISSED, None),
        (RECOVERED, "17.000002"),
    ]
    first, second = alerts.victorops()
    assert (second["message_type"], second["state_message"]) == ("RECOVERY", RECOVERED)
    assert second["entity_id"] == first["entity_id"] == f"airflow/EP_STAGE/telemetry/{RUN_ID}/load"
    assert re.match(r"Finished \d\d? s late", second["details"])


def test_a_success_without_a_miss_is_not_told(watch, states, alerts):
    succeeded(watch(SLACK, VICTOROPS))
    assert alerts.received == []


def test_a_mapped_task_has_come_in_with_its_last_index(watch, states, alerts):
    told = watch(VICTOROPS, mapped=["load"])
    states[:] = [{"load_0": "running", "load_1": "running"}]
    missed(told)
    succeeded(told, map_index=0)
    assert len(alerts.victorops()) == 1
    states[:] = [{"load_0": "success", "load_1": "running"}]  # its own state may not be known yet
    succeeded(told, map_index=1)
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_a_task_that_comes_in_while_it_is_told_is_told_as_recovered(watch, states, alerts):
    states[:] = [{"load": "running"}, {"load": "success"}]
    missed(watch(VICTOROPS))
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


@pytest.mark.parametrize(
    ("changes", "then"),
    [
        ({"when_failed": "skip"}, {"extract": "success", "load": "failed"}),
        ({"watched": ["load", "extract"]}, {"extract": "failed", "load": "upstream_failed"}),
    ],
    ids=["its own failure, which nobody wants to hear of", "a failure that another SLA tells"],
)
def test_a_task_that_fails_while_it_is_told_has_not_recovered(changes, then, watch, states, alerts):
    states[:] = [{"extract": "running", "load": "running"}, then]
    missed(watch(VICTOROPS, **changes))
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL"]


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


def test_an_escalation_is_one_incident_with_one_recovery(watch, states, alerts):
    warning = SlaAlert(VictorOpsSlaMissNotifier(victorops_conn_id="victorops", message_type="WARNING"))
    told = watch(warning, SlaAlert(VICTOROPS, after=timedelta(minutes=15)))
    for after in told.steps:
        missed(told.step(after), deadline=str(after))
    succeeded(told)
    assert [alert["message_type"] for alert in alerts.victorops()] == ["WARNING", "CRITICAL", "RECOVERY"]
    assert len({alert["entity_id"] for alert in alerts.victorops()}) == 1


def test_a_storm_is_one_message_and_a_digest_and_an_incident_each(watch, states, alerts):
    async def storm():
        hook = SlaAlert(WEBHOOK, recovery=WEBHOOK)
        tasks = [watch(SLACK, VICTOROPS, hook, task_id=name, digest=6) for name in ("load", "extract", "report")]
        due = datetime.now(UTC)  # of all three, which are one window
        contexts = [
            {**context(str(number)), "deadline": {"id": str(number), "deadline_time": due}} for number in (1, 2, 3)
        ]
        return await asyncio.gather(
            *(on_deadline(task.to_json(), one) for task, one in zip(tasks, contexts, strict=True))
        )

    states[:] = [{"load": "running", "extract": "running", "report": None}]
    asyncio.run(storm())
    one, digest = [message for message in alerts.slack() if "channel" in message]
    assert one["text"] in [MISSED.replace("load", name) for name in ("load", "extract", "report")]
    assert digest["text"] == "EP_STAGE - telemetry SLA Miss for 2 more"
    told = "".join(block["text"]["text"] for block in digest["blocks"])
    assert told.count("on 2016-02-26T18:00:00") == 2
    assert len(alerts.victorops()) == 3
    assert len(alerts.slack()) == 2 + 3


def test_the_same_deadline_in_two_triggerers_is_told_once(watch, states, alerts, monkeypatch):
    told = watch(SLACK, VICTOROPS)
    missed(told)
    monkeypatch.setattr(deadline_callback, "_jobs", {})  # another process
    assert set(missed(told).values()) == {"sent already"}
    assert (len(alerts.slack()), len(alerts.victorops())) == (1, 1)


def test_a_callback_that_airflow_cancels_and_starts_again_goes_on(watch, states, alerts):
    told = watch(SLACK).to_json()
    alerts.failures = [503]

    async def steal():
        for _ in range(3):
            stolen = asyncio.ensure_future(on_deadline(told, context()))
            await asyncio.sleep(0.01)
            stolen.cancel()
        return await on_deadline(told, context())

    assert json.loads(asyncio.run(steal())) == {"Slack slack_api C012AB3CD": "sent"}
    assert len(alerts.slack()) == 1


def test_an_answer_that_got_lost_is_looked_up(watch, states, alerts):
    alerts.failures = ["taken, then silence"]
    assert missed(watch(SLACK)) == {"Slack slack_api C012AB3CD": "found sent"}
    assert [message["text"] for message in alerts.slack()] == [MISSED]


def test_services_that_are_down_get_their_alerts_later(watch, states, alerts):
    alerts.failures = [(429, {"Retry-After": "0"}), 503, 500, 503, None]
    missed(watch(WEBHOOK, VICTOROPS))
    assert [message["text"] for message in alerts.slack()] == [MISSED]
    assert len(alerts.victorops()) == 1


def test_airflow_that_does_not_answer_is_asked_again(watch, states, alerts):
    states[:] = [RuntimeError("the API server is down"), {"load": "running"}]
    missed(watch(VICTOROPS))
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


def test_pagerduty_is_told_through_its_own_provider_s_notifier(watch, states, alerts, monkeypatch):
    import pagerduty
    from airflow.providers.pagerduty.notifications.pagerduty import PagerdutyNotifier

    monkeypatch.setattr(pagerduty.EventsApiV2Client, "normalize_url", lambda client, path: alerts.url + path)

    def event(action):
        return PagerdutyNotifier(
            pagerduty_events_conn_id="pagerduty",
            action=action,
            dedup_key="{{ sla_miss.entity_id }}",
            summary="{{ sla_miss.text }}",
            severity="critical",
            source="{{ sla_miss.dag_id }}",
            links=[{"href": "{{ sla_miss.run_url }}", "text": "{{ sla_miss.run_id }}"}],
        )

    told = watch(SlaAlert(event("trigger"), recovery=event("resolve")))
    missed(told)
    succeeded(told)
    entity = f"airflow/EP_STAGE/telemetry/{RUN_ID}/load"
    first, second = alerts.pagerduty()
    assert (first["event_action"], first["dedup_key"], first["payload"]["summary"]) == ("trigger", entity, MISSED)
    assert (second["event_action"], second["dedup_key"], second["payload"]["summary"]) == ("resolve", entity, RECOVERED)
    assert first["routing_key"] == "hush-integration-key"
    assert first["links"][0]["text"] == RUN_ID


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
    """Makes Airflow say for a while that there is no connection, as it does when its database or a Vault is down."""

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


def test_without_claims_a_recovery_only_closes_incidents(watch, states, alerts):
    told = watch(SLACK, VICTOROPS, claims="")
    missed(told)
    succeeded(told)
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]
    assert len(alerts.slack()) == 1


def test_without_claims_a_success_in_time_is_not_told(watch, states, alerts):
    succeeded(watch(VICTOROPS, claims=""), start=datetime.now(UTC))
    assert alerts.received == []


def test_without_claims_a_success_before_its_time_of_day_is_not_told(watch, states, alerts):
    now = datetime.now(UTC)
    for minutes, told in ((5, 0), (-5, 1)):
        by = f"{now + timedelta(minutes=minutes):%H:%M:%S} UTC"
        succeeded(watch(VICTOROPS, claims="", sla=0, by=by), start=now - timedelta(minutes=10))
        assert len(alerts.victorops()) == told


HALF_AN_HOUR_AGO = datetime.now(UTC) - timedelta(minutes=31)


@pytest.mark.parametrize(
    ("changes", "facts"),
    [
        ({"reference": "logical_date", "sla": 90000}, {"logical_date": datetime.now(UTC) - timedelta(hours=26)}),
        ({"reference": "planned"}, {"run_after": None, "data_interval_end": HALF_AN_HOUR_AGO}),
        ({}, {"run_after": HALF_AN_HOUR_AGO}),
    ],
    ids=["from the logical date", "from the planned start", "queued for long"],
)
def test_without_claims_a_recovery_counts_from_where_the_sla_does(changes, facts, watch, states, alerts):
    succeeded(watch(VICTOROPS, claims="", **changes), start=datetime.now(UTC) - timedelta(minutes=5), **facts)
    assert [alert["message_type"] for alert in alerts.victorops()] == ["RECOVERY"]


def test_without_claims_a_run_that_is_not_watched_recovers_nothing(watch, states, alerts):
    succeeded(watch(VICTOROPS, claims="", silent_for=["backfill"]), run_type="backfill")
    assert alerts.received == []


def test_a_run_s_recovery_ends_before_airflow_ends_its_process(watch, states, alerts, monkeypatch, caplog):
    monkeypatch.setattr(recovery_callback, "RUN_RECOVERY_FOR", 0.1)
    told = watch(VICTOROPS, task_id=None)
    missed(told)
    alerts.failures = [503] * 50
    dag = SimpleNamespace(dag_id="telemetry")
    OnSuccess(told)({"dag": dag, "run_id": RUN_ID, "dag_run": SimpleNamespace(logical_date=DATE, start_date=DATE)})
    assert "Alerts were not sent within 0 s" in caplog.text
    assert len(alerts.failures) > 45


def test_an_error_never_reaches_the_task(watch, states, alerts, caplog):
    succeeded(watch(VICTOROPS, claims="sql:there_is_no_such_connection"))
    assert "Recovery of load is told without claims" in caplog.text


# Airflow 2.11


def recorded(minutes_ago, task_id="load"):
    """A miss of an SLA of half an hour, found when that was over."""
    planned = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    return SimpleNamespace(task_id=task_id, execution_date=planned, timestamp=planned + timedelta(minutes=30))


@pytest.fixture
def airflow_2(states, monkeypatch):
    """Calls the callback as Airflow 2.11 does; returns the misses that it may mark as notified."""
    facts = {"run_id": RUN_ID, "logical_date": DATE, "run_type": "scheduled"}

    def late_run(dag, moment):
        return {**facts, "planned": moment}

    monkeypatch.setattr(sla_miss_callback, "late_run", late_run)
    dag = SimpleNamespace(dag_id="telemetry")

    def check(*watches, misses):
        left = list(misses)
        OnSlaMiss(watches)(dag, "", "", left, [])
        return len(left)

    return check


def test_2_tells_a_recorded_miss_once_and_looks_at_it_until_it_comes_in(watch, airflow_2, alerts, states):
    told, miss = watch(SLACK, VICTOROPS), recorded(31)
    assert airflow_2(told, misses=[miss]) == 0
    assert airflow_2(told, misses=[miss]) == 0
    assert [message["text"] for message in alerts.slack()] == [MISSED]
    assert [alert["entity_display_name"] for alert in alerts.victorops()] == [
        f"telemetry.load late by 1 min ({RUN_ID})"
    ]


def test_2_shows_again_what_could_not_be_sent(watch, airflow_2, alerts):
    told, miss = watch(VICTOROPS), recorded(31)
    alerts.failures = [503]
    for _ in range(3):
        assert airflow_2(told, misses=[miss]) == 0
    assert len(alerts.victorops()) == 1


def test_2_shows_a_miss_again_until_the_last_step_is_due(watch, airflow_2, alerts, monkeypatch):
    told = watch(SLACK, SlaAlert(VICTOROPS, after=timedelta(minutes=15)))
    assert airflow_2(told, misses=[recorded(31)]) == 0
    assert (len(alerts.slack()), len(alerts.victorops())) == (1, 0)
    airflow_2(told, misses=[recorded(46)])
    assert (len(alerts.slack()), len(alerts.victorops())) == (1, 1)


def test_2_looks_no_longer_at_what_failed_or_is_a_day_late(watch, airflow_2, alerts, states):
    assert airflow_2(watch(SLACK), misses=[recorded(31 + 1440)]) == 1
    states[:] = [{"load": "failed"}]
    assert airflow_2(watch(SLACK), misses=[recorded(31)]) == 1


def test_2_tells_a_recovery_of_what_came_in_while_its_page_was_on_its_way(watch, airflow_2, alerts, states):
    """... and whose own callback found nothing told yet."""
    told = watch(VICTOROPS)
    states[:] = [{"load": "running"}, {"load": "success"}]
    assert airflow_2(told, misses=[recorded(31)]) == 1
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_2_finds_out_whether_a_miss_was_told_and_tells_its_recovery(watch, airflow_2, alerts, states):
    told = watch(SLACK)
    alerts.failures = ["taken, then silence"]
    assert airflow_2(told, misses=[recorded(31)]) == 0
    states[:] = [{"load": "success"}]
    assert airflow_2(told, misses=[recorded(31)]) == 1
    assert [message["text"] for message in alerts.slack()] == [MISSED, RECOVERED]


def test_2_tells_the_recovery_of_two_indexes_that_came_in_at_once(watch, airflow_2, alerts, states):
    told = watch(VICTOROPS, mapped=["load"])
    states[:] = [{"load_0": "running", "load_1": "running"}]  # 2.11 calls the tasks' callbacks before it commits
    airflow_2(told, misses=[recorded(31)])
    succeeded(told, map_index=0)
    succeeded(told, map_index=1)
    assert len(alerts.victorops()) == 1
    states[:] = [{"load_0": "success", "load_1": "success"}]
    assert airflow_2(told, misses=[recorded(31)]) == 1
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_2_shows_a_miss_again_whose_recovery_could_not_be_told(watch, airflow_2, alerts, states):
    told = watch(VICTOROPS)
    airflow_2(told, misses=[recorded(31)])
    states[:] = [{"load": "success"}]
    alerts.failures = [503]
    assert [airflow_2(told, misses=[recorded(31)]) for _ in range(2)] == [0, 1]
    assert [alert["message_type"] for alert in alerts.victorops()] == ["CRITICAL", "RECOVERY"]


def test_2_tells_how_late_it_was_and_not_how_long_ago_it_was_told(watch, airflow_2, alerts):
    told = watch(VICTOROPS, reference="planned")
    miss = recorded(91)
    airflow_2(told, misses=[miss])
    succeeded(told, run_after=None, data_interval_end=miss.execution_date)
    assert [alert["details"].split(",")[0] for alert in alerts.victorops()] == [
        "Late by 1 h 1 min",
        "Finished 1 h 1 min late",
    ]


def test_2_waits_for_a_time_of_day(watch, airflow_2, alerts):
    now = datetime.now(UTC)
    for minutes, told in ((5, 0), (-5, 1)):
        by = f"{now + timedelta(minutes=minutes):%H:%M:%S} UTC"
        assert airflow_2(watch(VICTOROPS, sla=0, by=by), misses=[recorded(10)]) == 0
        assert len(alerts.victorops()) == told


def test_2_tells_the_fallback_in_the_same_check(watch, airflow_2, alerts):
    alerts.failures = [404]
    airflow_2(watch(SlaAlert(VICTOROPS, fallback=WEBHOOK)), misses=[recorded(31)])
    assert len(alerts.slack()) == 1


def test_2_tells_the_fallback_after_an_hour_of_failing(watch, airflow_2, alerts):
    alerts.failures = [503, None]
    airflow_2(watch(SlaAlert(VICTOROPS, fallback=WEBHOOK)), misses=[recorded(91)])
    assert (len(alerts.slack()), len(alerts.victorops())) == (1, 0)


def test_2_drops_what_came_in_or_is_nobody_s(watch, airflow_2, alerts, states):
    assert airflow_2(watch(VICTOROPS), misses=[recorded(31, "other")]) == 1
    states[:] = [{"load": "success"}]
    assert airflow_2(watch(VICTOROPS), misses=[recorded(31)]) == 1
    assert alerts.received == []


def test_2_without_claims_tries_within_the_check(watch, airflow_2, alerts):
    alerts.failures = [503]
    assert airflow_2(watch(VICTOROPS, claims=""), misses=[recorded(31)]) == 1
    assert len(alerts.victorops()) == 1


def test_2_leaves_misses_to_its_next_check_when_a_service_takes_its_time(watch, airflow_2, alerts, monkeypatch):
    monkeypatch.setattr(sla_miss_callback, "CHECK_FOR", 1)
    told, misses = watch(WEBHOOK), [recorded(33), recorded(32), recorded(31)]
    alerts.failures = ["silence", None, None]
    assert airflow_2(told, misses=misses) == 0
    assert alerts.failures == [None, None]


def test_who_is_paged_does_not_wait_for_slack(watch, states, alerts):
    missed(watch(SLACK, WEBHOOK, VICTOROPS))
    assert [path.split("/")[1] for path, _ in alerts.received] == ["integrations", "api", "services"]


def test_2_survives_an_error_and_shows_the_miss_again(watch, airflow_2, alerts, states, caplog):
    states[:] = [RuntimeError("database is gone")]
    assert airflow_2(watch(VICTOROPS), misses=[recorded(31)]) == 0
    assert "SLA miss of telemetry.load could not be told" in caplog.text
