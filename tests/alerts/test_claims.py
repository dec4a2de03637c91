"""One of many sends: on real databases, by real processes, some of which are killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from airflow_agari_provider.alerts.alert_database import ClaimsUnavailable
from airflow_agari_provider.alerts.claim_rows import CLAIMS, UNKNOWN, About
from airflow_agari_provider.alerts.claims import Claim, ClaimTable
from airflow_agari_provider.alerts.threads import Patience
from tests.alerts.sending_process import POINTS

SCRIPT = Path(__file__).parent / "sending_process.py"
KEY = "dag|run|" + "a very long task id" * 50


@pytest.fixture
def tables(connect):
    """Makes claim tables of different processes on one database."""
    return lambda owner: ClaimTable(connect, owner, lease=120)


def test_the_first_one_sends_and_the_others_learn_of_it(tables):
    first, second = tables("first"), tables("second")
    assert first.claim(KEY, 1000.0) == Claim("mine", 1000.0)
    assert second.claim(KEY, 1001.0) == Claim("busy", 1000.0)
    assert second.sent(KEY) is None
    first.mark_sent(KEY, "C1:17.5")
    assert second.claim(KEY, 9999.0) == Claim("sent", 1000.0, "C1:17.5")
    assert second.sent(KEY) == Claim("sent", 1000.0, "C1:17.5")


def test_keys_that_differ_in_case_only_are_different(tables):
    assert tables("first").claim("dag|run|Load", 1000.0).state == "mine"
    assert tables("second").claim("dag|run|load", 1000.0).state == "mine"


def test_an_alert_that_was_certainly_not_sent_can_be_claimed_again(tables):
    first, second = tables("first"), tables("second")
    first.claim(KEY, 1000.0)
    first.release(KEY)
    assert second.claim(KEY, 1001.0) == Claim("mine", 1001.0)


def test_a_postponed_alert_cannot_be_claimed_before_its_time(tables):
    first, second = tables("first"), tables("second")
    first.claim(KEY, 1000.0)
    first.postpone(KEY, 1030.0)
    assert second.claim(KEY, 1029.0) == Claim("busy", 1000.0)
    assert second.perhaps_sent(KEY) is None
    assert second.claim(KEY, 1030.0) == Claim("mine", 1000.0)


def test_what_is_being_sent_or_in_doubt_may_have_been_sent(tables):
    first = tables("first")
    assert first.perhaps_sent(KEY) is None
    first.claim(KEY, 1000.0)
    assert first.perhaps_sent(KEY) == Claim("sending", 1000.0)
    first.mark_doubtful(KEY, 2, until=1030.0)
    assert first.perhaps_sent(KEY).state == "doubtful"
    assert first.sent(KEY) is None
    assert first.claim(KEY, 1029.0).state == "busy"
    assert first.claim(KEY, 1030.0) == Claim("takeover", 1000.0, failures=2)


def test_a_role_that_may_not_create_the_table_is_told_so(cleared_postgres_uri):
    driver = pytest.importorskip("psycopg2")
    role = f"role_{uuid4().hex[:8]}"

    def connect():
        connection = driver.connect(cleared_postgres_uri)
        with connection, connection.cursor() as cursor:
            cursor.execute(f"SET SESSION AUTHORIZATION {role}")
        return connection

    with closing(driver.connect(cleared_postgres_uri)) as owner, owner, owner.cursor() as cursor:
        cursor.execute(
            f"CREATE ROLE {role}; REVOKE CREATE ON SCHEMA public FROM public; GRANT USAGE ON SCHEMA public TO {role}"
        )
    with pytest.raises(ClaimsUnavailable, match="permission denied for schema public"):
        ClaimTable(connect).claim(KEY, 1000.0)


def test_a_refused_alert_is_not_sent_again(tables):
    first, second = tables("first"), tables("second")
    first.claim(KEY, 1000.0)
    first.mark_refused(KEY)
    assert second.claim(KEY, 9999.0) == Claim("refused", 1000.0)
    assert second.sent(KEY) is None


def test_what_was_reported_of_a_run_is_known_until_it_has_recovered(tables):
    table = tables("first")
    for number, (run, task) in enumerate([("run", "load"), ("run", "Load"), ("run", "extract"), ("RUN", "report")]):
        table.claim(f"key {number}", 1000.0, About(run, task, "Slack"))
    table.mark_refused("key 2")
    table.enter_window("window", "a", "first", 1000.0)
    table.enter_window("window", "b", "collected", 1000.0, About("run", "collected", "Slack"))
    assert table.reported("run") == {("load", "Slack"), ("Load", "Slack"), ("collected", "Slack")}
    table.mark_recovered("run", "load", 2000.0)
    assert table.reported("run") == {("Load", "Slack"), ("collected", "Slack")}


def test_an_incident_is_open_for_those_in_it_that_have_not_recovered(tables):
    table = tables("first")
    for number, (run, task, incident) in enumerate([("1", "load", "dag"), ("2", "", "dag"), ("1", "load", "DAG")]):
        table.claim(f"key {number}", 1000.0 + number, About(run, task, "VictorOps", incident))
    assert table.open_misses("dag", since=1000.0) == {("1", "load"), ("2", "")}
    assert table.open_misses("dag", since=1000.5) == {("2", "")}
    table.mark_recovered("2", "", 2000.0)
    assert table.open_misses("dag", since=1000.0) == {("1", "load")}


def test_a_statement_that_waits_for_another_s_lock_is_given_up_and_claims_nothing_later(cleared_postgres_uri):
    driver = pytest.importorskip("psycopg2")

    def table(seconds):
        return ClaimTable(lambda: driver.connect(cleared_postgres_uri), patience=Patience(seconds, 0))

    hurried = table(0.3)
    table(60).sent(KEY)  # makes the table
    with closing(driver.connect(cleared_postgres_uri)) as other, other:
        other.cursor().execute("LOCK TABLE agari_alert_claims IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(ClaimsUnavailable, match=r"TimeoutError: it did not answer within 0\.3 s"):
            hurried.claim(KEY, 1000.0)
    hurried.database.patience._abandoned[0].join(30)
    assert table(60).claim(KEY, 1001.0) == Claim("mine", 1001.0)


def test_what_was_sent_without_a_claim_is_recorded_and_known_to_all(tables):
    first, second, other = tables("first"), tables("second"), tables("other")
    first.record_sent("nobody claimed it", 1000.0, About("run", "load", "Slack"), "C1:17.5")
    assert second.claim("nobody claimed it", 1001.0) == Claim("sent", 1000.0, "C1:17.5")
    other.claim("another has claimed it", 1000.0)
    first.record_sent("another has claimed it", 1002.0, UNKNOWN, "C1:17.6")
    assert second.sent("another has claimed it") == Claim("sent", 1000.0, "C1:17.6")


OLDER = """
CREATE TABLE agari_alert_claims (
    id VARCHAR(255) NOT NULL PRIMARY KEY, alert TEXT, owner TEXT, state TEXT, claimed_at DOUBLE PRECISION,
    first_at DOUBLE PRECISION, reference TEXT
)
"""


def test_a_table_of_an_older_version_gets_the_new_columns_and_keeps_its_claims(connect, tables):
    id_ = sha256(KEY.encode()).hexdigest()
    with closing(connect()) as connection:
        connection.cursor().execute(OLDER)
        connection.cursor().execute(
            f"INSERT INTO agari_alert_claims VALUES ('{id_}', 'an alert', 'older', 'sent', 1000, 1000, 'C1:17.5')"
        )
        connection.commit()
    assert tables("first").claim(KEY, 2000.0) == Claim("sent", 1000.0, "C1:17.5")
    assert tables("second").claim("another", 2000.0, About("run", "load", "Slack")).state == "mine"
    assert tables("third").reported("run") == {("load", "Slack")}


INDEXES = {
    "sqlite3": "SELECT name FROM sqlite_master WHERE type = 'index'",
    "psycopg": "SELECT indexname FROM pg_indexes WHERE schemaname = 'public'",
    "MySQLdb": "SELECT index_name FROM information_schema.statistics WHERE table_schema = DATABASE()",
}


def test_what_is_asked_for_by_run_incident_or_time_is_found_by_an_index(connect, tables):
    table = tables("first")
    table.claim(KEY, 1000.0, About("run" * 500, "load", "Slack", "incident" * 500))  # longer than MySQL's index takes
    table.database.run(CLAIMS, lambda rows: rows.add_indexes())  # a second time
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        driver = type(connection).__module__.partition(".")[0].replace("psycopg2", "psycopg")
        cursor.execute(INDEXES[driver])
        found = {(row if isinstance(row, tuple) else tuple(row.values()))[0] for row in cursor.fetchall()}
    columns = ("run", "incident", "first_at", "due_at", "closed_at_due_at")
    assert {f"agari_alert_claims_{name}" for name in columns} <= found


def test_a_row_tells_when_it_was_sent_and_how_the_task_stood(connect, tables):
    first = tables("first")
    first.claim(KEY, 1000.0, About("run", "load", standing="late"))
    first.postpone(KEY, 1030.0)
    tables("second").claim(KEY, 1030.0, About("run", "load", standing="failed"))
    first.mark_sent(KEY, "not its claim any more", 1031.0)
    tables("third").record_sent(KEY, 1032.0, UNKNOWN, "17")
    with closing(connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("SELECT state, standing, sent_at FROM agari_alert_claims")
        (row,) = cursor.fetchall()
    assert (tuple(row.values()) if isinstance(row, dict) else tuple(row)) == ("sent", "failed", 1032.0)


def test_a_window_has_one_first_and_collects_the_others_until_it_is_closed(tables):
    first, second = tables("first"), tables("second")
    for table, now in ((first, 1000.0), (second, 1001.0)):
        entered = [table.enter_window("window", key, f"text of {key}", now) for key in ("a", "b", "c")]
        assert entered == [None, 1000, 1000]
    assert second.enter_window("WINDOW", "b", "of another one", 1001.0) is None
    assert second.enter_window("WINDOW", "c", "of another one", 1001.5) == 1001
    assert second.close_window("window") == ["text of b", "text of c"]
    assert first.enter_window("window", "d", "too late", 1002.0) == 1000
    assert [first.was_collected("window", key) for key in ("a", "b", "c", "d")] == [False, True, True, False]


def test_a_long_line_of_a_digest_is_cut_and_shows_it(tables):
    table = tables("first")
    table.enter_window("window", "a", "first", 1000.0)
    table.enter_window("window", "b", "x" * 300, 1001.0)
    assert table.close_window("window") == ["x" * 254 + "…"]


def test_when_the_lease_is_over_one_takes_over(tables):
    first, second, third = tables("first"), tables("second"), tables("third")
    first.claim(KEY, 1000.0)
    assert second.claim(KEY, 1119.0) == Claim("busy", 1000.0)
    assert second.claim(KEY, 1120.0) == Claim("takeover", 1000.0)
    assert third.claim(KEY, 1121.0) == Claim("busy", 1000.0)
    first.mark_sent(KEY, "too late")  # its owner has lost it
    first.release(KEY)
    assert third.claim(KEY, 1122.0) == Claim("busy", 1000.0)


def test_of_many_who_would_take_over_one_does(tables):
    tables("dead").claim(KEY, 1000.0)
    rivals = [tables(f"rival {number}") for number in range(6)]
    start = threading.Barrier(len(rivals))

    def take_over(rival):
        rival.sent(KEY)  # connects, and finds the table
        start.wait()
        return rival.claim(KEY, 2000.0).state

    with ThreadPoolExecutor(len(rivals)) as pool:
        assert sorted(pool.map(take_over, rivals)) == ["busy"] * 5 + ["takeover"]


def test_a_doubtful_alert_is_taken_over_at_once_also_by_its_owner(tables):
    first = tables("first")
    first.claim(KEY, 1000.0)
    first.mark_doubtful(KEY, 1)
    assert first.claim(KEY, 1002.0) == Claim("takeover", 1000.0, failures=1)
    assert tables("second").claim(KEY, 1003.0) == Claim("busy", 1000.0)


@pytest.fixture
def service():
    """(address, keys posted) of a service that keeps every post, and tells whether it has one."""
    posted: list[str] = []

    class Keeper(BaseHTTPRequestHandler):
        def do_POST(self):
            key = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path == "/post":
                posted.append(key)
            answer = json.dumps("reference" if key in posted else None).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keeper)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", posted
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["sqlite3", "psycopg2", "MySQLdb"])
def database(request):
    """(driver, where) of an empty database."""
    pytest.importorskip(request.param)
    if request.param == "MySQLdb":
        return request.param, " ".join(request.getfixturevalue("mariadb_database"))
    fixture = "sqlite_path" if request.param == "sqlite3" else "cleared_postgres_uri"
    return request.param, str(request.getfixturevalue(fixture))


def senders(database, url, processes, alerts, point="never", slow_by=0.0):
    """Exit codes of processes that all try to send the same alerts."""
    command = [sys.executable, str(SCRIPT), *database, url, str(alerts), point, str(slow_by)]
    with ExitStack() as stack:
        started = [
            stack.enter_context(subprocess.Popen(command, cwd=SCRIPT.parent.parent, stderr=subprocess.PIPE, text=True))
            for _ in range(processes)
        ]
        errors = [process.communicate(timeout=120)[1] for process in started]
        assert not any(errors), errors
        return [process.returncode for process in started]


def test_many_processes_send_each_alert_once(database, service):
    url, posted = service
    assert senders(database, url, processes=4, alerts=25) == [0, 0, 0, 0]
    assert Counter(posted) == {f"alert {number}": 1 for number in range(25)}


@pytest.mark.parametrize("point", POINTS)
def test_whenever_the_sender_is_killed_another_one_takes_over_and_sends_once(database, service, point):
    url, posted = service
    assert senders(database, url, 1, 1, point, slow_by=1000) == [-signal.SIGKILL]  # so that its lease is over
    assert posted == ([] if point == "before the post" else ["alert 0"])
    assert senders(database, url, 2, 1) == [0, 0]
    assert posted == ["alert 0"]
