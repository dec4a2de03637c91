"""Kills the processes of a running demo at work."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psutil

from airflow_agari_provider.local.demo.airflow_home import AIRFLOW_3
from airflow_agari_provider.local.demo.demo import Demo
from airflow_agari_provider.local.demo.pipeline import client
from airflow_agari_provider.queues.depth import read_depth


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


def keep_waiting_tasks_in_workers(demo: Demo) -> None:
    """
    Kill the scheduler and let it start with another setting: from now on a waiting task keeps its process.

    The setting counts where the DAG's file is read for a task, in the processes that the scheduler starts.
    """
    scheduler = demo.processes.children["scheduler"]
    scheduler.environment = {**scheduler.environment, "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "False"}
    scheduler.process.kill()


def scorings(endpoint_url: str) -> list[str]:
    """States of every scoring step that EMR ever had."""
    emr = client("emr", endpoint_url)
    return [
        step["Status"]["State"]
        for cluster in emr.list_clusters()["Clusters"]
        for step in emr.list_steps(ClusterId=cluster["Id"])["Steps"]
        if any("score_messages" in word for word in step["Config"]["Args"])
    ]
