"""
The demo: a day of Agari's scoring pipeline on one machine.

Starts an embedded AWS, a local EMR with real Spark, endpoints for the alerts, and Airflow. Makes the messages of the
published day, runs the example DAG, and compares its report with the published table, cell by cell.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.local.demo.airflow_home import USER, AirflowApi, AirflowHome
from airflow_agari_provider.local.demo.alert_endpoints import open_endpoints
from airflow_agari_provider.local.demo.background import in_background
from airflow_agari_provider.local.demo.breakage import BREAKAGES, start_breakage
from airflow_agari_provider.local.demo.messages import write_day, write_history
from airflow_agari_provider.local.demo.pipeline import (
    Pipeline,
    airflow_connection,
    client,
    create_pipeline,
    create_target,
)
from airflow_agari_provider.local.demo.progress import TerminalProgress
from airflow_agari_provider.local.demo.published_day import DAY
from airflow_agari_provider.local.demo.report import Outcome, print_outcome
from airflow_agari_provider.local.demo.runs import DAG_ID, Hourly, WholeDay
from airflow_agari_provider.local.demo.senders import SPOOFED_SHARE
from airflow_agari_provider.local.demo.setup import (
    FOLDER,
    VICTOROPS,
    Options,
    airflow_settings,
    example_dags,
    free_ports,
    own_folder,
    parse,
    write_near_real_time,
    write_organisations,
)
from airflow_agari_provider.local.demo.target_database import open_target_database
from airflow_agari_provider.local.demo.weeks_before import write_weeks_before
from airflow_agari_provider.local.emr.java import find_java
from airflow_agari_provider.local.processes import Processes
from airflow_agari_provider.queues.depth import QueueDepth, read_depth

HISTORY_DAYS = 5
START_TIMEOUT = 240  # seconds until Airflow must be up
PART_TIMEOUT = 1800  # seconds in which a task of the day's run, or one of its hourly runs, must end


class DemoStuck(AgariError):
    """Something that the demo waits for did not happen in time."""

    def __init__(self, what: str, seconds: float, folder: str) -> None:
        super().__init__(what, seconds, folder)
        self.what, self.seconds, self.folder = what, seconds, folder

    def __str__(self) -> str:
        return (
            f"The demo waited {self.seconds:.0f} seconds for {self.what}, without success. "
            f"Look for the cause in the log files in {self.folder}/logs."
        )


def main(arguments: Sequence[str]) -> int:
    """
    Run the demo.

    :return: exit code; 0 only if every check of the outcome passed.
    """
    options = parse(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    progress = TerminalProgress()
    try:
        with ExitStack() as stack:
            return Demo(options, progress, stack).run()
    except AgariError as error:
        progress.plain(f"\nThe demo stopped: {error}")
    except KeyboardInterrupt:
        progress.plain("\nInterrupted. All processes that the demo started have ended.")
        return 130
    return 1


class Demo:
    """
    One run of the demo.

    :param stack: ends everything that the run started, in reverse order.
    :param folder: each run keeps its files in a folder of its own in this one.
    :param settings: further environment variables of Airflow.
    """

    def __init__(
        self,
        options: Options,
        progress: TerminalProgress,
        stack: ExitStack,
        folder: Path = FOLDER,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.options, self.progress, self.stack = options, progress, stack
        java = find_java()
        ports = free_ports(options.port)
        self.folder = stack.enter_context(own_folder(folder))
        self.processes = Processes(self.folder / "logs")
        stack.callback(self._stop)
        self.database = stack.enter_context(open_target_database(options.database, self.folder))
        progress.line(f"files    {self.folder}")
        progress.line(f"java     {java}")
        progress.line(f"database {self.database.name}")
        self.sinks = stack.enter_context(open_endpoints(self.folder / "alerts"))
        self.aws = self._start_aws()
        broken = BREAKAGES[options.breakage].settings if options.breakage else {}
        place = create_target(options.target, self.aws)
        environment = {**airflow_settings(), **place, **broken, **(settings or {})}
        self.home = AirflowHome(self.folder / "airflow", ports, example_dags(), self._connections(), environment)
        self.api = AirflowApi(self.home)
        self.runs = Hourly(self.api, progress) if options.hourly else WholeDay(self.api, progress)

    def run(self) -> int:
        """Run all parts of the demo, in order. Return the exit code."""
        day = in_background(self._make_day)
        self._start_airflow()
        self._wait_for(day.done, "the day's messages", START_TIMEOUT)
        self.pipeline = day.result()
        self._start_runs()
        if self.options.breakage:
            self._break()
        good = print_outcome(self.options, self.watch(), self.progress.plain)
        charts = f"{self.home.url}/agari/charts?dag_id={DAG_ID}"
        discrepancies = f"{self.home.url}/agari/discrepancies?dag_id={DAG_ID}"
        if self.options.serve:
            self._serve(charts, discrepancies)
        else:
            self.progress.plain(
                f"\nThe charts of every try: {charts}, and the history of the report: {discrepancies} "
                "(with --serve, which keeps Airflow running)."
            )
        return 0 if good else 1

    def _start_aws(self) -> str:
        local = [sys.executable, "-m", "airflow_agari_provider.local"]
        ready = self.folder / "aws.json"
        self.processes.start("aws", [*local, "aws", "--ready-file", str(ready)], {})
        self._wait_for(ready.exists, "the embedded AWS", 60)
        address = str(json.loads(ready.read_text())["endpoint_url"])
        work = str(self.folder / "emr")
        self.processes.start("emr", [*local, "emr", "--endpoint-url", address, "--work-dir", work], {}, restart=True)
        return address

    def _connections(self) -> dict[str, str]:
        extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.com"}
        mail = {"host": "127.0.0.1", "port": self.sinks.mail_port, "extra": extra}
        slack = {"conn_type": "slackwebhook", "host": f"{self.sinks.http}/slack", "password": "T000/B000/demo"}
        pager = {"conn_type": "victorops", "host": f"{self.sinks.http}/victorops", "password": "demo"}
        return {
            "aws_default": airflow_connection(self.aws),
            "scoring_db": self.database.airflow_connection,
            "slack_default": json.dumps(slack),
            "smtp_default": json.dumps({"conn_type": "smtp", **mail}),
            VICTOROPS: json.dumps({**pager, "extra": {"routing_key": "data-platform"}}),
        }

    def _make_day(self) -> Pipeline:
        """Create the pipeline's queues, and all data on S3 and in the database that the run needs."""
        pipeline = create_pipeline(self.aws)
        s3 = client("s3", self.aws)
        organisations = self.options.organisations
        write_history(s3, pipeline.bucket, DAY, HISTORY_DAYS, organisations)
        broken = BREAKAGES.get(self.options.breakage or "")
        sent = broken.sent(organisations) if broken else organisations
        write_day(s3, pipeline.bucket, DAY, sent, spoofed_share=broken.spoofed_share if broken else SPOOFED_SHARE)
        if broken and broken.compares:
            write_weeks_before(self.database, organisations)
        write_near_real_time(self.database, organisations)
        write_organisations(self.database, organisations)
        total = sum(organisation.collector for organisation in organisations)
        self.progress.line(f"messages {total:,} of {DAY} are on S3 as Avro, and {HISTORY_DAYS} days before it")
        return pipeline

    def _start_airflow(self) -> None:
        environment = self.home.environment()
        for name, command in self.home.preparations().items():
            self.processes.run(name, command, environment)
        for name, command in self.home.services().items():
            self.processes.start(name, command, environment, restart=True)
        self._wait_for(self.api.healthy, "Airflow", START_TIMEOUT)
        self._wait_for(lambda: self.api.knows(DAG_ID), "the DAG", START_TIMEOUT)
        self.progress.line(f"airflow  {self.home.url}  user {USER}  password {self.home.password}")

    def _wait_for(self, done: Callable[[], bool], what: str, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not done():
            self.processes.check()
            if time.monotonic() > deadline:
                raise DemoStuck(what, timeout, str(self.folder))
            self.progress.status(f"waiting for {what}")
            time.sleep(0.3)

    def _start_runs(self) -> None:
        pipeline = self.pipeline
        self.api.unpause(DAG_ID)
        self.runs.start(
            {
                "history_days": HISTORY_DAYS,
                "messages_bucket": pipeline.bucket,
                "queue_url": pipeline.queue_url,
                "dead_letter_queue_url": pipeline.dead_letter_queue_url,
                "queue_wait_seconds": 1,
                "quiet_period": 3,  # enough here: the local queues' counts are exact, Amazon's are not
            }
        )

    def _break(self) -> None:
        breakage = BREAKAGES[str(self.options.breakage)]
        self.progress.line(f"break    {breakage.story}")
        stop = start_breakage(breakage, self.aws, self.pipeline, self.processes, self.progress.line)
        self.stack.callback(stop.set)

    def watch(self) -> Outcome:
        """Show the progress of the runs until all have ended, and return their outcome."""
        sqs = client("sqs", self.aws)
        started = self.progress.elapsed
        done, deadline = 0, time.monotonic() + PART_TIMEOUT
        while time.monotonic() < deadline:
            for name in self.processes.check():
                self.progress.line(f"restart  {name}")
            try:
                ended = self.runs.look()
            except OSError:  # the web server is restarting
                time.sleep(1)
                continue
            self._draw(read_depth(sqs, self.pipeline.queue_url))
            if ended:
                return self._outcome(started)
            if self.runs.done != done:
                done, deadline = self.runs.done, time.monotonic() + PART_TIMEOUT
            time.sleep(1)
        raise DemoStuck("the end of the next part of the run", PART_TIMEOUT, str(self.folder))

    def _draw(self, depth: QueueDepth) -> None:
        rows = self.database.count("SELECT COUNT(*) FROM scored_messages")
        queue = f"queue {depth.visible} visible, {depth.in_flight} in flight"
        loaded = f"{rows:,} rows in the database" if rows is not None else "no rows yet"
        self.progress.status(f"{self.runs.busy}  ·  {queue}  ·  {loaded}")

    def _outcome(self, started: float) -> Outcome:
        ended = self.progress.elapsed
        sqs = client("sqs", self.aws)
        return Outcome(
            state=self.runs.state,
            report=self.runs.report(),
            tasks=self.runs.timings(),
            queued=read_depth(sqs, self.pipeline.queue_url).total,
            dead_letters=read_depth(sqs, self.pipeline.dead_letter_queue_url).total,
            received=self.sinks.received,
            run_seconds=ended - started,
            seconds=ended,
            verdicts=self.runs.verdicts,
        )

    def _serve(self, charts: str, discrepancies: str) -> None:
        login = f"user {USER}, password {self.home.password}"
        self.progress.plain(
            f"\nAirflow is at {self.home.url} ({login}), its charts are at {charts}, and the history of the report is "
            f"at {discrepancies}. Ctrl-C ends it."
        )
        while True:
            self.processes.check()
            time.sleep(1)

    def _stop(self) -> None:
        # a second Ctrl-C must not leave processes running
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
        self.progress.status("stopping every process")
        self.processes.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
