"""
The parts of the EMR API that moto lacks: steps that wait, that can be cancelled, and that tell why they failed.

moto only keeps the state of clusters and steps (the "books"). It starts the first step of a cluster itself and never
ends a step. After ``patch_emr``, every step waits as PENDING until a runner takes it (``books``).
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.emr.exceptions import InvalidCluster, InvalidRequestException, ValidationException
from moto.emr.models import Cluster, ElasticMapReduceBackend, Step
from moto.emr.responses import ElasticMapReduceResponse

TERMINATED = frozenset({"TERMINATING", "TERMINATED", "TERMINATED_WITH_ERRORS"})
LIVE = frozenset({"RUNNING", "CANCEL_PENDING"})  # steps that a runner runs
STEP_TEXT_LIMIT = 10_240  # characters of all strings of one HadoopJarStep; EMR API reference

_moto_backend_init = ElasticMapReduceBackend.__init__
_moto_describe_step = ElasticMapReduceBackend.describe_step
_moto_run_bootstrap_actions = Cluster.run_bootstrap_actions
_moto_terminate = Cluster.terminate
_moto_run_job_flow = ElasticMapReduceResponse.run_job_flow
_moto_step_status = Step.status.fget


class _Clusters(dict[str, Any]):
    def __missing__(self, cluster_id: str) -> Any:
        raise InvalidCluster(cluster_id)  # without it, the client would get moto's KeyError as HTTP 500


def end_step(step: Any, state: str, reason: str | None = None) -> None:
    step.state, step.end_date_time, step.last_state_change_reason = state, utcnow(), reason


def _backend_init(self: Any, region_name: str, account_id: str) -> None:
    _moto_backend_init(self, region_name, account_id)
    self.clusters = _Clusters()


def _describe_step(self: Any, cluster_id: str, step_id: str) -> Any:
    step = _moto_describe_step(self, cluster_id, step_id)
    if step is None:
        raise InvalidRequestException(f"Step id '{step_id}' is not valid.")
    return step


def _add_steps(self: Any, steps: list[dict[str, Any]]) -> list[Any]:
    new = [Step(state="PENDING", **step) for step in steps]
    _refuse_what_emr_refuses(self, new)
    self.steps.extend(new)
    self.state = "RUNNING"
    return new


def _refuse_what_emr_refuses(cluster: Any, new: list[Any]) -> None:
    # the constructor of a cluster adds its steps before it has a state
    if getattr(cluster, "state", None) in TERMINATED:
        raise ValidationException("A job flow that is shutting down, terminated, or finished may not be modified.")
    if getattr(cluster, "step_concurrency_level", 1) > 1 and any(s.action_on_failure != "CONTINUE" for s in new):
        raise ValidationException("ActionOnFailure must be CONTINUE when StepConcurrencyLevel is greater than 1.")
    if any(len(step.jar) + sum(map(len, step.args)) > STEP_TEXT_LIMIT for step in new):
        raise ValidationException(f"Size of step parameters exceeded: they may have {STEP_TEXT_LIMIT} characters.")


def _run_bootstrap_actions(self: Any) -> None:
    _moto_run_bootstrap_actions(self)
    if self.steps:
        self.state = "RUNNING"


def _terminate(self: Any) -> None:
    for step in self.steps:
        if step.state == "PENDING":
            end_step(step, "CANCELLED", "Job terminated")
        elif step.state in LIVE:
            end_step(step, "INTERRUPTED", "Job terminated")
    if self.state not in TERMINATED:
        self.last_state_change_reason = "Terminated by user request"  # ``books`` writes its own reason over it
        _moto_terminate(self)


def _step_status(self: Any) -> dict[str, Any]:
    failure = getattr(self, "failure_details", None)
    return {**_moto_step_status(self), **({"FailureDetails": failure} if failure else {})}


def _cancel(step: Any, kill: bool) -> bool:
    """
    Cancel a step, and return whether that was possible.

    A running step only becomes CANCEL_PENDING: it ends when it obeys the signal to stop, or is killed.
    """
    if step is None or step.state not in ("PENDING", "RUNNING", *(("CANCEL_PENDING",) if kill else ())):
        return False
    if step.state == "PENDING":
        end_step(step, "CANCELLED", "Cancelled by user")
    else:
        step.state, step.killed = "CANCEL_PENDING", kill
    return True


def _cancel_steps(self: Any) -> ActionResult:
    steps = {step.id: step for step in self.backend.clusters[self._get_param("ClusterId")].steps}
    kill = self._get_param("StepCancellationOption") == "TERMINATE_PROCESS"
    answers = []
    for step_id in self._get_param("StepIds", []):
        done = _cancel(steps.get(step_id), kill)
        answer = {"StepId": step_id, "Status": "SUBMITTED" if done else "FAILED"}
        answers.append(answer if done else {**answer, "Reason": "The step is not pending or running."})
    return ActionResult({"CancelStepsInfoList": answers})


def _requested_idle_timeout(self: Any) -> int | None:
    seconds = self._get_param("AutoTerminationPolicy.IdleTimeout")
    if seconds is not None and not 60 <= int(seconds) <= 604_800:
        raise ValidationException("The idle timeout must be between 60 and 604800 seconds.")
    return None if seconds is None else int(seconds)


def _run_job_flow(self: Any) -> ActionResult:
    seconds = _requested_idle_timeout(self)
    result = _moto_run_job_flow(self)
    self.backend.clusters[result._result["JobFlowId"]].idle_timeout = seconds
    return result


def _put_auto_termination_policy(self: Any) -> EmptyResult:
    self.backend.clusters[self._get_param("ClusterId")].idle_timeout = _requested_idle_timeout(self)
    return EmptyResult()


def _get_auto_termination_policy(self: Any) -> ActionResult:
    seconds = idle_timeout(self.backend.clusters[self._get_param("ClusterId")])
    return ActionResult({"AutoTerminationPolicy": {"IdleTimeout": seconds}} if seconds is not None else {})


def _remove_auto_termination_policy(self: Any) -> EmptyResult:
    self.backend.clusters[self._get_param("ClusterId")].idle_timeout = None
    return EmptyResult()


def idle_timeout(cluster: Any) -> int | None:
    """Return the seconds without a step after which the cluster ends itself; None: never."""
    seconds: int | None = getattr(cluster, "idle_timeout", None)
    return seconds


def patch_emr() -> None:
    """Add the missing parts to moto's EMR in this process; further calls change nothing."""
    ElasticMapReduceBackend.__init__ = _backend_init
    ElasticMapReduceBackend.describe_step = _describe_step
    Cluster.add_steps = _add_steps
    Cluster.run_bootstrap_actions = _run_bootstrap_actions
    Cluster.terminate = _terminate
    Step.status = property(_step_status)
    Step.killed = False
    Step.start = lambda self: None  # moto's RunJobFlow would give a waiting step a start time
    ElasticMapReduceResponse.run_job_flow = _run_job_flow
    ElasticMapReduceResponse.cancel_steps = _cancel_steps
    ElasticMapReduceResponse.put_auto_termination_policy = _put_auto_termination_policy
    ElasticMapReduceResponse.get_auto_termination_policy = _get_auto_termination_policy
    ElasticMapReduceResponse.remove_auto_termination_policy = _remove_auto_termination_policy
