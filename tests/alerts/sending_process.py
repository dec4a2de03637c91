"""
Sends alerts as a triggerer would, perhaps in competition with others, and perhaps until it kills itself (SIGKILL).

Arguments: driver, where its database is, address of the service, number of alerts, point, by how many seconds its clock
is slow.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
import urllib.request
from typing import Any

from airflow_agari_provider.alerts.claims import ClaimTable
from airflow_agari_provider.alerts.delivery import Delivery
from airflow_agari_provider.alerts.miss import SlaMiss

POINTS = ("before the post", "after the post")
MISS = SlaMiss("dag", "run", "task", "2016-02-26T18:00:00")


def connect(driver: str, where: str) -> Any:
    module = importlib.import_module(driver)
    if driver == "MySQLdb":
        socket, _, name = where.partition(" ")
        return module.connect(unix_socket=socket, user="root", db=name)
    return module.connect(where)


class HttpSender:
    """Posts to a service that keeps what it gets, and can be asked."""

    name = "service"
    safe_to_repeat = False
    repeats_when_in_doubt = True
    most_failures = 9.0

    def __init__(self, url: str, point: str) -> None:
        self.url, self.point = url, point

    def send(self, miss: SlaMiss, key: str, in_doubt: bool) -> str:
        self.die_at("before the post")
        answer = self.ask("post", key)
        self.die_at("after the post")
        return str(answer)

    def find(self, key: str, since: float, follows: str = "") -> str | None:
        return self.ask("find", key)

    def follow_up(self, miss: SlaMiss, key: str, reference: str) -> str:
        raise NotImplementedError

    def ask(self, what: str, key: str) -> Any:
        request = urllib.request.Request(f"{self.url}/{what}", key.encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def die_at(self, point: str) -> None:
        if self.point == point:
            os.kill(os.getpid(), signal.SIGKILL)


def main(driver: str, where: str, url: str, alerts: str, point: str, slow_by: str) -> None:
    claims = ClaimTable(lambda: connect(driver, where), lease=120)
    for number in range(int(alerts)):
        delivery = Delivery(HttpSender(url, point), f"alert {number}", claims)
        while (pause := delivery.attempt(MISS, time.time() - float(slow_by))) is not None:
            time.sleep(min(pause, 0.1))


if __name__ == "__main__":
    main(*sys.argv[1:])
