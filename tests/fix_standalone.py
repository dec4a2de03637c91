"""The master of a stand-alone Spark cluster over HTTP, whose drivers a test moves by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.http_world import HttpWorld

LIVE = ("SUBMITTED", "RUNNING", "RELAUNCHING")


@dataclass
class Driver:
    """
    One driver, as the master has it.

    :param app: name of its application; empty before it has registered one.
    """

    id: str
    body: dict[str, Any]
    state: str = "SUBMITTED"
    app: str = ""
    message: str | None = None
    submitted_at: float = field(default_factory=time.time)

    @property
    def view(self) -> dict[str, Any]:
        """As ``JsonProtocol.writeDriverInfo`` of Spark 4."""
        times = {"starttime": str(int(self.submitted_at * 1000)), "submitdate": "Mon Nov 30 16:00:00 UTC 2026"}
        return {"id": self.id, **times, "state": self.state, "cores": 1, "memory": 1024, "mainclass": "x"}


class StandaloneWorld(HttpWorld):
    """The REST API of one master and its page in JSON, at one address."""

    def __init__(self) -> None:
        super().__init__()
        self.forgotten: set[str] = set()
        self.registers = True  # whether an application shows the name that its driver was submitted with

    def end(self, step: Driver, state: str, **details: str) -> None:
        step.state, step.message = state, details.get("Message")

    def work(self, outcome: str = "FINISHED") -> None:
        """Run every driver from now on, and end it so."""
        following = {"SUBMITTED": "RUNNING", "RUNNING": outcome}

        def move() -> None:
            for driver in self.steps:
                driver.state = following.get(driver.state, driver.state)

        self.each("status", move)

    def call_of(self, method: str, path: str) -> str:
        return "json" if path.startswith("/json") else path.split("/")[3]

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        call, driver_id = self.call_of(method, path), path.rpartition("/")[2]
        if call == "json":
            live, ended = [], []
            for driver in self.steps:
                (live if driver.state in LIVE else ended).append(driver)
            apps = {"activeapps": _apps(live), "completedapps": _apps(ended)}
            return 200, {
                **apps,
                "activedrivers": [driver.view for driver in live],
                "completeddrivers": [driver.view for driver in ended],
            }
        if call == "create":
            name = body["sparkProperties"]["spark.app.name"] if self.registers else ""
            self.steps.append(Driver(f"driver-20261130160000-{len(self.steps):04}", body, app=name))
            return 200, {"success": True, "submissionId": self.steps[-1].id, "message": "Driver submitted"}
        driver = next((one for one in self.steps if one.id == driver_id and one.id not in self.forgotten), None)
        if driver is None:
            return 200, {"success": False, "submissionId": driver_id, "driverState": "NOT_FOUND"}
        if call == "kill":
            done = driver.state in LIVE
            driver.state = "KILLED" if done else driver.state
            return 200, {"success": done, "submissionId": driver_id, "message": "Kill request"}
        state = {"driverState": driver.state, "message": driver.message, "workerHostPort": "worker-1:4711"}
        return 200, {"success": True, "submissionId": driver_id, **state}


def _apps(drivers: list[Driver]) -> list[dict[str, Any]]:
    return [{"id": f"app-{driver.id}", "name": driver.app, "state": "RUNNING"} for driver in drivers if driver.app]


@pytest.fixture
def standalone_world() -> Iterator[StandaloneWorld]:
    world = StandaloneWorld()
    yield world
    world.close()
