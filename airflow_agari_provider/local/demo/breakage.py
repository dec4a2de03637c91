"""What ``--break`` does to a running pipeline, and how the pipeline should react."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psutil

from airflow_agari_provider.local.demo.alert_endpoints import Received
from airflow_agari_provider.local.demo.pipeline import Pipeline, client
from airflow_agari_provider.local.demo.published_day import DAY, Organisation
from airflow_agari_provider.local.demo.senders import SPOOFED_SHARE
from airflow_agari_provider.local.processes import Processes

SCORED_WITHIN = 30  # seconds from the beginning of the run; a scoring that is slowed down takes much longer
SLOWED_BY = 60  # seconds; long enough to miss the SLA. After more than 120, Spark would stop itself


@dataclass
class Evidence:
    """
    The facts after the run by which it is judged.

    :param verdict: verdict of the correctness report.
    :param tries: task id -> number of its last try.
    :param dead_letters: number of messages in the dead-letter queue.
    :param table_as_expected: whether the report equals the table of an undisturbed day in every cell.
    """

    verdict: str
    tries: dict[str, int]
    dead_letters: int
    table_as_expected: bool
    received: list[Received]

    def slack(self, words: str) -> bool:
        return any(message.channel == "slack" and words in message.text for message in self.received)

    def paged(self, words: str) -> list[str]:
        """Return the types of VictorOps's messages with these words, if all belong to one incident; otherwise none."""
        bodies = [each.body for each in self.received if each.channel == "victorops" and words in each.text]
        return [body["message_type"] for body in bodies] if len({body["entity_id"] for body in bodies}) == 1 else []


@dataclass
class Breakage:
    """
    One way to break the pipeline.

    :param story: what goes wrong, as text.
    :param harm: does the harm, in a thread while the pipeline runs, and returns what it did, as text.
    :param expected: returns what must be noticed, as text -> whether it was.
    :param settings: further environment variables of Airflow.
    :param hourly: whether it harms exactly one hour of a day that is run hour by hour.
    :param not_on_2: why Airflow 2.11 would not notice it; empty if it does.
    :param silent: ids of organisations whose collectors send nothing.
    :param spoofed_share: share of the day's messages with a forged sender.
    :param compares: whether it is noticed by what is usual, so that the history needs the weeks before.
    """

    story: str
    harm: Callable[[str, Pipeline, Processes, threading.Event], str]
    expected: Callable[[Evidence], dict[str, bool]]
    settings: Mapping[str, str] = field(default_factory=dict)
    not_on_2: str = ""
    hourly: bool = False
    silent: Collection[int] = ()
    spoofed_share: float = SPOOFED_SHARE
    compares: bool = False
    done: str = field(default="", init=False)

    def sent(self, organisations: Sequence[Organisation]) -> list[Organisation]:
        """Return what the collectors send of a day."""
        return [replace(each, collector=0, skipped=0) if each.org_id in self.silent else each for each in organisations]


def lose_rows(endpoint_url: str, pipeline: Pipeline, processes: Processes, stop: threading.Event) -> str:
    """Act as a consumer that acknowledges a message before it has stored the message's rows."""
    sqs = client("sqs", endpoint_url)
    while not stop.is_set():
        answer = sqs.receive_message(QueueUrl=pipeline.queue_url, WaitTimeSeconds=1, MaxNumberOfMessages=1)
        for message in answer.get("Messages", []):
            event = json.loads(json.loads(message["Body"])["Message"])
            sqs.delete_message(QueueUrl=pipeline.queue_url, ReceiptHandle=message["ReceiptHandle"])
            if event.get("Records"):
                return f"acknowledged {event['Records'][0]['s3']['object']['key']} without importing it"
    return "found nothing to acknowledge"


def poison_queue(endpoint_url: str, pipeline: Pipeline, processes: Processes, stop: threading.Event) -> str:
    """Write a file of the day to S3 that is named .avro but ends in the middle of its header."""
    key = f"scored/{DAY}T00_24h/broken-uploader/part-0.avro"
    client("s3", endpoint_url).put_object(Bucket=pipeline.bucket, Key=key, Body=b"Obj\x01\x04\x14avro.codec")
    return f"uploaded s3://{pipeline.bucket}/{key}, which is cut off in its header"


def crash_spark(endpoint_url: str, pipeline: Pipeline, processes: Processes, stop: threading.Event) -> str:
    """Kill the scoring job's Spark while it works."""
    driver = _wait_for_scoring_driver(processes, stop)
    if driver is None:
        return "found no Spark driver to kill"
    time.sleep(3)  # so that it is at work
    driver.kill()
    return f"killed the Spark driver of score_messages.py (process {driver.pid})"


def slow_scoring(endpoint_url: str, pipeline: Pipeline, processes: Processes, stop: threading.Event) -> str:
    """Suspend the scoring job's Spark driver for ``SLOWED_BY`` seconds."""
    driver = _wait_for_scoring_driver(processes, stop)
    if driver is None:
        return "found no Spark driver to slow down"
    with suppress(psutil.NoSuchProcess):  # the driver is gone if the demo was interrupted
        driver.suspend()
        stop.wait(SLOWED_BY)
        driver.resume()
    return f"suspended the Spark driver of score_messages.py (process {driver.pid}) for {SLOWED_BY} s"


def _in_the_data(what: str) -> Callable[..., str]:
    """Return a harm that was done before the run, by what the collectors have sent."""
    return lambda *_: what


def _wait_for_scoring_driver(processes: Processes, stop: threading.Event) -> psutil.Process | None:
    while not stop.wait(0.2):
        for process in processes.descendants():
            if _is_scoring_driver(process):
                return process
    return None


def _is_scoring_driver(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    scripts = [word.rpartition("/")[2] for word in words if word.endswith(".py")]
    return any("SparkSubmit" in word for word in words) and any(name.startswith("score_messages") for name in scripts)


def disturbs(message: Received) -> bool:
    """Whether the message alerts a person. VictorOps's RECOVERY does not: it only closes an incident."""
    return message.channel == "slack" or (message.channel == "victorops" and message.body["message_type"] != "RECOVERY")


BREAKAGES: dict[str, Breakage] = {
    "lost-rows": Breakage(
        "a consumer acknowledges a message before it has stored it",
        lose_rows,
        lambda evidence: {
            "the report says High Discrepancies": evidence.verdict == "high discrepancies",
            "Slack got the alert": evidence.slack("with High Discrepancies"),
            "VictorOps opened an incident": evidence.paged("with High Discrepancies") == ["CRITICAL"],
        },
        hourly=True,
    ),
    "poison-message": Breakage(
        "an uploader leaves a broken file among the scored ones",
        poison_queue,
        lambda evidence: {
            "the message ended in the dead-letter queue": evidence.dead_letters == 1,
            "Slack got the message and its exception": evidence.slack("with 1 DLQs"),
            "VictorOps opened an incident": evidence.paged("with 1 DLQs") == ["CRITICAL"],
            "every good row arrived": evidence.table_as_expected,
        },
    ),
    "spark-crash": Breakage(
        "Spark's driver is killed in the middle of the scoring",
        crash_spark,
        lambda evidence: {
            "the scoring was tried again": evidence.tries.get("score.score_messages", 0) > 1,
            "the table is the same as without the crash": evidence.table_as_expected,
            "no alert was sent for it": not any(disturbs(message) for message in evidence.received),
        },
    ),
    "slow-scoring": Breakage(
        f"the scoring is suspended, but its SLA ends {SCORED_WITHIN} s after the run was queued",
        slow_scoring,
        lambda evidence: {
            "Slack was told that the scoring is late": evidence.slack("SLA Miss for task score.score_messages"),
            "Slack was told that it is done": evidence.slack("SLA Miss recovered for task score.score_messages"),
            "one incident was opened, and closed": evidence.paged("score.score_messages") == ["CRITICAL", "RECOVERY"],
            "the table is the same as without the delay": evidence.table_as_expected,
        },
        settings={"MESSAGE_SCORING_SCORED_WITHIN": str(SCORED_WITHIN)},
        not_on_2="Airflow 2.11 checks SLAs of scheduled runs only, and the demo's run is triggered manually.",
    ),
    "half-the-volume": Breakage(
        "the collectors of the organisations 54 and 56, which send half of all messages, are silent",
        _in_the_data("sent nothing for the organisations 54 and 56, and every stage agrees on that"),
        lambda evidence: {
            "the report says High Discrepancies": evidence.verdict == "high discrepancies",
            "Slack was told what is usual": evidence.slack("messages in Collector, where"),
            "Slack was told who is silent": evidence.slack("56: 0 messages in Collector"),
            "VictorOps opened an incident": evidence.paged("with High Discrepancies") == ["CRITICAL"],
        },
        silent=(54, 56),
        compares=True,
    ),
    "skewed": Breakage(
        "two of five messages have a forged sender, where three of a hundred are usual; no count changes",
        _in_the_data("sent as many messages as every day, but two of five are forged"),
        lambda evidence: {
            "the report says High Discrepancies": evidence.verdict == "high discrepancies",
            "Slack was told what has moved": evidence.slack("verdict is shared out otherwise than usual"),
            "VictorOps opened an incident": evidence.paged("with High Discrepancies") == ["CRITICAL"],
            "no message was lost": evidence.table_as_expected,
        },
        spoofed_share=0.4,
        compares=True,
    ),
}


def start_breakage(
    breakage: Breakage, endpoint_url: str, pipeline: Pipeline, processes: Processes, say: Callable[[str], Any]
) -> threading.Event:
    """Do the harm in a thread of its own. Set the returned event to end it early."""
    stop = threading.Event()

    def work() -> None:
        breakage.done = breakage.harm(endpoint_url, pipeline, processes, stop)
        say(f"break    {breakage.done}")

    threading.Thread(target=work, daemon=True, name="breakage").start()
    return stop
