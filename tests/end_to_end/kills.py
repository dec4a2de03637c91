"""Run the demo while its processes are killed at work, then clear a task: the table is right each time."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field

import psutil

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3
from airflow_agari_provider.local.demo.demo import DAG_ID, Demo
from airflow_agari_provider.local.demo.pipeline import client
from airflow_agari_provider.local.demo.progress import TerminalProgress
from airflow_agari_provider.local.demo.report import checks
from airflow_agari_provider.local.demo.setup import Options
from airflow_agari_provider.queues.depth import read_depth
from tests.local.leftover_processes import working_in


@dataclass
class Killer:
    """
    Kills each of its victims once, as soon as it is in the middle of its work.

    :param victims: names of ``find_`` methods.
    """

    demo: Demo
    victims: list[str]
    killed: dict[str, int] = field(default_factory=dict)

    def look(self, tasks: list[dict]) -> None:
        running = {task["task_id"]: task for task in tasks if task["state"] in ("running", "deferred")}
        for victim in self.victims:
            if victim not in self.killed and (process := getattr(self, f"find_{victim}")(running)):
                process.kill()
                self.killed[victim] = process.pid

    def find_importer(self, running):
        """An importer, as soon as messages are taken: a look now and then would miss the second that lasts."""
        busy = [task for name, task in running.items() if "import_scored_messages" in name]
        process = self.task_process(busy[0]) if busy else None
        patience = time.monotonic() + 30
        while process and process.is_running() and time.monotonic() < patience:
            if read_depth(client("sqs", self.demo.aws), self.queue_url()).in_flight:
                return process
            time.sleep(0.05)
        return None

    def find_scoring(self, running):
        """The scoring task's process, while Spark runs."""
        task = running.get("score.score_messages")
        return self.task_process(task) if task and self.spark("score_messages") else None

    def find_triggerer(self, running):
        """The triggerer that waits for the scoring."""
        task = running.get("score.score_messages")
        return (
            self.service("triggerer") if task and task["state"] == "deferred" and self.spark("score_messages") else None
        )

    def find_emr(self, running):
        """The local EMR, while it builds the model."""
        return self.service("emr") if self.spark("build_trust_model") else None

    def queue_url(self) -> str:
        return client("sqs", self.demo.aws).get_queue_url(QueueName="importer")["QueueUrl"]

    def service(self, name: str) -> psutil.Process:
        return psutil.Process(self.demo.processes.children[name].process.pid)

    def spark(self, script: str) -> bool:
        return any(script in " ".join(words) and "SparkSubmit" in " ".join(words) for _, words in self.processes())

    def task_process(self, task: dict) -> psutil.Process | None:
        title = (
            f"airflow worker -- {task.get('id')}"
            if AIRFLOW_3
            else f"airflow task runner: message_scoring {task['task_id']} "
        )
        for process, words in self.processes():
            if " ".join(words).startswith(title):
                return process
        return None

    def processes(self):
        for process in self.demo.processes.descendants():
            try:
                yield process, process.cmdline()
            except psutil.Error:
                continue


def run(tmp_path, victims: list[str], *, deferrable: bool, then_clear: str) -> list[str]:
    """
    Run the demo with every victim killed once, then clear a task with those downstream: the table is right each time.

    Nothing is left running. Returns the states of every scoring step that EMR had before the clearing.
    """
    with ExitStack() as stack:
        settings = {"AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": str(deferrable)}
        options = Options(messages=60_000)
        demo = Demo(options, TerminalProgress(), stack, folder=tmp_path, settings=settings)
        killer = Killer(demo, victims)
        demo.watchers.append(killer.look)
        assert demo.run() == 0
        assert set(killer.killed) == set(victims)
        states = scorings(demo.aws)
        demo.api.clear(DAG_ID, demo.run_id, [then_clear])
        found = checks(options, demo.watch())
        assert all(found.values()), found
    assert not working_in(tmp_path)
    return states


def scorings(endpoint_url: str) -> list[str]:
    """States of every scoring step that EMR ever had."""
    emr = client("emr", endpoint_url)
    return [
        step["Status"]["State"]
        for cluster in emr.list_clusters()["Clusters"]
        for step in emr.list_steps(ClusterId=cluster["Id"])["Steps"]
        if any("score_messages" in word for word in step["Config"]["Args"])
    ]
