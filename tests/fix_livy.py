"""A Livy over HTTP that keeps its batches, whose states a test moves by hand, and that can be told to fail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.http_world import HttpWorld


@dataclass
class Batch:
    """One batch, with the fields of Livy's REST API."""

    id: int
    name: str | None
    state: str = "starting"
    body: dict[str, Any] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)


class LivyWorld(HttpWorld):
    """
    One Livy server. It answers as Apache Livy 0.8 documents it.

    A deleted batch is gone from Livy, but stays in ``steps`` as ``killed``.
    """

    kept_header = "X-Requested-By"

    def __init__(self) -> None:
        super().__init__()
        self.gone: set[int] = set()
        self.tells_names = True

    def end(self, step: Batch, state: str, **details: str) -> None:
        step.state = state
        step.log += details.values()

    def work(self, outcome: str = "success") -> None:
        """Run every batch from now on, and end it so."""
        following = {"starting": "running", "running": outcome}

        def move() -> None:
            for batch in self.steps:
                batch.state = following.get(batch.state, batch.state)

        self.each("get_batch", move)

    def call_of(self, method: str, path: str) -> str:
        if method != "GET":
            return {"POST": "post_batch", "DELETE": "delete_batch"}[method]
        parts = urlsplit(path).path
        return "get_batches" if parts == "/batches" else "get_log" if parts.endswith("/log") else "get_batch"

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        parts = urlsplit(path)
        found = re.fullmatch(r"/batches(?:/(\d+))?(/log)?", parts.path)
        known = [batch for batch in self.steps if batch.id not in self.gone]
        if found is None:
            return 404, "no such page"
        if method == "POST":
            return self._create(known, body)
        query = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        if found[1] is None:
            start = query.get("from", 0)
            page = known[start : start + query.get("size", 100)]
            return 200, {"from": start, "total": len(known), "sessions": [self._view(batch) for batch in page]}
        batch = next((batch for batch in known if batch.id == int(found[1])), None)
        if batch is None:
            return 404, {"msg": f"Session '{found[1]}' not found."}
        if found[2]:
            last = batch.log[-query.get("size", 100) :]
            return 200, {"id": batch.id, "from": len(batch.log) - len(last), "total": len(batch.log), "log": last}
        if method == "DELETE":
            batch.state = "killed"
            self.gone.add(batch.id)
            return 200, {"msg": "deleted"}
        return 200, self._view(batch)

    def _create(self, known: list[Batch], body: Any) -> tuple[int, Any]:
        if any(batch.name == body.get("name") for batch in known):
            return 400, {"msg": f"java.lang.IllegalArgumentException: Duplicate session name: {body['name']}"}
        self.steps.append(Batch(len(self.steps), body.get("name"), body=body))
        return 201, self._view(self.steps[-1])

    def _view(self, batch: Batch) -> dict[str, Any]:
        name = batch.name if self.tells_names else None
        return {"id": batch.id, "name": name, "owner": None, "proxyUser": None, "state": batch.state, "appId": None}


@pytest.fixture
def livy_world() -> Iterator[LivyWorld]:
    world = LivyWorld()
    yield world
    world.close()
