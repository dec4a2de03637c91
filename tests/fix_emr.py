"""An EMR whose steps a test moves by hand, and that can be told to fail."""

from __future__ import annotations

import gzip
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

LIVE = ("PENDING", "RUNNING", "CANCEL_PENDING")
REGION = "us-east-1"


class EmrWorld:
    """
    One account's EMR. Every step in it should belong to one task, so two live ones at a time are recorded as twins.

    :ivar twins: ids of steps that were added while another was live.
    """

    def __init__(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.endpoint = endpoint
        self.twins: list[str] = []
        self.calls: list[str] = []
        self._monkeypatch = monkeypatch
        self._hands: threading.Thread | None = None
        self._stop = threading.Event()
        self.emr = self.client("emr")
        self.s3 = self.client("s3")
        self._watch_calls()

    def connect(self) -> Callable[..., Any]:
        return self.client

    def client(self, service: str, **config: Any) -> Any:
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, config=Config(**config))

    # what a test sets up

    def cluster(self, name: str = "scoring", keep: bool = True, concurrency: int = 1, log_uri: str = "") -> str:
        instances = {"KeepJobFlowAliveWhenNoSteps": keep, "InstanceCount": 1, "MasterInstanceType": "m5.xlarge"}
        arguments = {"LogUri": log_uri} if log_uri else {}
        return str(
            self.emr.run_job_flow(Name=name, Instances=instances, StepConcurrencyLevel=concurrency, **arguments)[
                "JobFlowId"
            ]
        )

    def add_step(self, cluster_id: str, *arguments: str) -> str:
        jar = {"Jar": "command-runner.jar", "Args": ["spark-submit", *arguments]}
        step = {"Name": "x", "ActionOnFailure": "CONTINUE", "HadoopJarStep": jar}
        step_id = str(self.emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step])["StepIds"][0])
        self.twins.clear()
        return step_id

    def put_log(self, url: str, text: str) -> None:
        bucket, key = url.removeprefix("s3://").split("/", 1)
        self.s3.put_object(Bucket=bucket, Key=key, Body=gzip.compress(text.encode()))

    # what a test sees

    @property
    def clusters(self) -> dict[str, Any]:
        from moto.emr.models import emr_backends

        clusters: dict[str, Any] = emr_backends["123456789012"][REGION].clusters
        return clusters

    @property
    def steps(self) -> list[Any]:
        """In the order of submission."""
        every = [step for cluster in self.clusters.values() for step in cluster.steps]
        return sorted(every, key=lambda step: step.creation_date_time)

    @property
    def states(self) -> list[str]:
        return [step.state for step in self.steps]

    def step(self, step_id: str) -> Any:
        return next(step for step in self.steps if step.id == step_id)

    # what EMR does

    def end(self, step: Any, state: str = "COMPLETED", **failure_details: str) -> None:
        if failure_details:
            step.failure_details = failure_details
        step.start_date_time = step.start_date_time or datetime.now(UTC) - timedelta(seconds=3)
        step.end_date_time = datetime.now(UTC)
        step.state = state

    def work(self, outcome: str = "COMPLETED") -> None:
        """From now on a thread runs every step, ends it so, and cancels what is to be cancelled."""
        self._hands = threading.Thread(target=self._run_steps, args=(outcome,), daemon=True)
        self._hands.start()

    def _run_steps(self, outcome: str) -> None:
        while not self._stop.wait(0.01):
            for step in self.steps:
                if step.state == "CANCEL_PENDING":
                    self.end(step, "CANCELLED")
                elif step.state == "RUNNING":
                    self.end(step, outcome)
                elif step.state == "PENDING":
                    step.state = "RUNNING"

    def rest(self) -> None:
        self._stop.set()
        if self._hands is not None:
            self._hands.join()
        self._stop.clear()

    # what goes wrong

    @property
    def _responses(self) -> Any:
        from moto.emr.responses import ElasticMapReduceResponse

        return ElasticMapReduceResponse

    def fail(self, call: str, times: int = 1, carried_out: bool = False, code: str = "") -> None:
        """
        Let the next requests of a kind end with HTTP 500, or with HTTP 400 and an error code.

        :param call: ``add_job_flow_steps``, for instance.
        :param carried_out: the request is carried out, and only its answer gets lost.
        """
        from moto.core.exceptions import JsonRESTError

        original, left = getattr(self._responses, call), [times]

        def failing(response: Any) -> Any:
            if left[0] == 0:
                return original(response)
            left[0] -= 1
            if carried_out:
                original(response)
            if code:
                raise JsonRESTError(code, "as the test wants")
            raise RuntimeError(f"{call} fails, as the test wants")

        self._monkeypatch.setattr(self._responses, call, failing)

    def answer(self, call: str, answer: dict[str, Any]) -> None:
        """From now on, requests of a kind get this answer."""
        from moto.core.responses import ActionResult

        self._monkeypatch.setattr(self._responses, call, lambda response: ActionResult(answer))

    def before(self, call: str, action: Callable[[], None]) -> None:
        """Do something once, when the next request of a kind arrives."""
        original, done = getattr(self._responses, call), []

        def acting(response: Any) -> Any:
            if not done:
                done.append(True)
                action()
            return original(response)

        self._monkeypatch.setattr(self._responses, call, acting)

    def each(self, call: str, action: Callable[[], object]) -> None:
        """Do something before each request of a kind."""
        original = getattr(self._responses, call)

        def acting(response: Any) -> Any:
            action()
            return original(response)

        self._monkeypatch.setattr(self._responses, call, acting)

    def count(self, call: str) -> list[str]:
        """Return a list that grows with each request of a kind, from now on."""
        seen: list[str] = []
        self.each(call, lambda: seen.append(call))
        return seen

    def _watch_calls(self) -> None:
        from moto.emr.models import Cluster

        add_steps = Cluster.add_steps

        def watched(cluster: Any, steps: list[Any]) -> Any:
            crowded = any(state in LIVE for state in self.states)
            new = add_steps(cluster, steps)
            if new and crowded:
                self.twins += [step.id for step in new]
            return new

        self._monkeypatch.setattr(Cluster, "add_steps", watched)


class ServerlessWorld(EmrWorld):
    """One account's EMR Serverless, with one application. What is a step elsewhere is a job run here."""

    def __init__(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(endpoint, monkeypatch)
        self.serverless = self.client("emr-serverless")
        self.application_id = self.application("scoring")

    def application(self, name: str) -> str:
        created = self.serverless.create_application(name=name, releaseLabel="emr-7.9.0", type="SPARK")
        return str(created["applicationId"])

    @property
    def steps(self) -> list[Any]:
        from moto.emrserverless.models import emrserverless_backends

        runs = emrserverless_backends["123456789012"][REGION].job_runs.values()
        return sorted((run for of_one in runs for run in of_one), key=lambda run: run.created_at)

    def _run_steps(self, outcome: str) -> None:
        while not self._stop.wait(0.01):
            for run in self.steps:
                if run.state == "CANCELLING":
                    self.end(run, "CANCELLED")
                elif run.state == "RUNNING":
                    self.end(run, outcome)
                elif run.state == "SUBMITTED":
                    run.state = "RUNNING"

    def end(self, step: Any, state: str = "SUCCESS", **failure_details: str) -> None:
        step.started_at = step.started_at or datetime.now(UTC) - timedelta(seconds=3)
        step.ended_at = step.updated_at = datetime.now(UTC)
        step.state, step.state_details = state, failure_details.get("Message")

    @property
    def _responses(self) -> Any:
        from moto.emrserverless.responses import EMRServerlessResponse

        return EMRServerlessResponse


@pytest.fixture
def serverless_world(
    moto_endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[ServerlessWorld]:
    from airflow_agari_provider.local.emr.serverless_api import patch_emr_serverless

    patch_emr_serverless()
    request.getfixturevalue("aws")
    _ask_once(monkeypatch)
    world = ServerlessWorld(moto_endpoint, monkeypatch)
    yield world
    world.rest()


class EksWorld(EmrWorld):
    """One account's EMR on EKS, with one virtual cluster. What is a step elsewhere is a job run here."""

    def __init__(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(endpoint, monkeypatch)
        self.eks = self.client("emr-containers")
        provider = {"id": "eks", "type": "EKS", "info": {"eksInfo": {"namespace": "spark"}}}
        self.virtual_cluster_id = str(self.eks.create_virtual_cluster(name="x", containerProvider=provider)["id"])

    @property
    def steps(self) -> list[Any]:
        from moto.emrcontainers.models import emrcontainers_backends

        return list(emrcontainers_backends["123456789012"][REGION].job_runs.values())

    def end(self, step: Any, state: str = "COMPLETED", **failure_details: str) -> None:
        from airflow_agari_provider.local.emr.eks_api import end_job

        end_job(step, state, failure_details.get("Message"))

    def _run_steps(self, outcome: str) -> None:
        following = {"SUBMITTED": "RUNNING", "RUNNING": outcome, "CANCEL_PENDING": "CANCELLED"}
        while not self._stop.wait(0.01):
            for run in self.steps:
                if run.state in following:
                    self.end(run, following[run.state])

    @property
    def _responses(self) -> Any:
        from moto.emrcontainers.responses import EMRContainersResponse

        return EMRContainersResponse


@pytest.fixture
def eks_world(
    moto_endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[EksWorld]:
    from airflow_agari_provider.local.emr.eks_api import patch_emr_on_eks

    patch_emr_on_eks()
    request.getfixturevalue("aws")
    _ask_once(monkeypatch)
    world = EksWorld(moto_endpoint, monkeypatch)
    yield world
    world.rest()


def _ask_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every HTTP 500 reach our code."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    if shared := sys.modules.get("airflow_agari_provider.hooks.aws_clients"):
        monkeypatch.setitem(shared.QUICK, "retries", {"total_max_attempts": 1})


@pytest.fixture
def emr_world(
    moto_endpoint: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[EmrWorld]:
    from airflow_agari_provider.local.aws import patch_emr

    patch_emr()
    request.getfixturevalue("aws")  # emptied only now, so that its books are the patched ones
    _ask_once(monkeypatch)
    world = EmrWorld(moto_endpoint, monkeypatch)
    yield world
    world.rest()
