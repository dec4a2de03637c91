from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from airflow_agari_provider.local.aws import patch_emr
from airflow_agari_provider.local.emr import books


@pytest.fixture
def emr(aws: str) -> Any:
    import boto3
    from botocore.config import Config

    patch_emr()
    patch_emr()  # twice is as good as once
    return boto3.client("emr", endpoint_url=aws, config=Config(retries={"total_max_attempts": 1}))


def step(name: str = "score", action: str = "CONTINUE", arguments: list[str] | None = None) -> dict[str, Any]:
    jar = {"Jar": "command-runner.jar", "Args": arguments or ["spark-submit", "s3://agari/score.py"]}
    return {"Name": name, "ActionOnFailure": action, "HadoopJarStep": jar}


def cluster(emr: Any, *, keep: bool = True, steps: list[dict[str, Any]] | None = None, **more: Any) -> str:
    instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": keep}
    answer = emr.run_job_flow(Name="scoring", Instances=instances, Steps=steps or [], **more)
    return str(answer["JobFlowId"])


def states(emr: Any, cluster_id: str) -> list[str]:
    """Oldest first."""
    return [s["Status"]["State"] for s in reversed(emr.list_steps(ClusterId=cluster_id)["Steps"])]


def cluster_state(emr: Any, cluster_id: str) -> str:
    return str(emr.describe_cluster(ClusterId=cluster_id)["Cluster"]["Status"]["State"])


def test_every_new_step_waits(emr: Any) -> None:
    cluster_id = cluster(emr, steps=[step("a"), step("b")])
    emr.add_job_flow_steps(JobFlowId=cluster_id, Steps=[step("c")])
    assert states(emr, cluster_id) == ["PENDING", "PENDING", "PENDING"]
    assert "StartDateTime" not in emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Status"]["Timeline"]
    assert cluster_state(emr, cluster_id) == "RUNNING"


def test_a_waiting_step_is_cancelled_at_once_and_an_unknown_one_is_not(emr: Any) -> None:
    cluster_id = cluster(emr, steps=[step()])
    step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    answers = emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id, "s-NONE"])["CancelStepsInfoList"]
    assert [(a["StepId"], a["Status"]) for a in answers] == [(step_id, "SUBMITTED"), ("s-NONE", "FAILED")]
    assert states(emr, cluster_id) == ["CANCELLED"]
    again = emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id])["CancelStepsInfoList"]
    assert [a["Status"] for a in again] == ["FAILED"]


def test_a_step_that_does_not_stop_can_be_killed(emr: Any) -> None:
    cluster_id = cluster(emr, steps=[step()])
    step_id = emr.list_steps(ClusterId=cluster_id)["Steps"][0]["Id"]
    books.orders("node", [], 1)

    def cancel(option: str) -> tuple[str, dict[str, Any]]:
        answer = emr.cancel_steps(ClusterId=cluster_id, StepIds=[step_id], StepCancellationOption=option)
        return answer["CancelStepsInfoList"][0]["Status"], books.orders("node", [step_id], 0)

    assert cancel("SEND_INTERRUPT") == ("SUBMITTED", {"start": [], "stop": [step_id], "kill": []})
    assert cancel("SEND_INTERRUPT") == ("FAILED", {"start": [], "stop": [step_id], "kill": []})
    assert cancel("TERMINATE_PROCESS") == ("SUBMITTED", {"start": [], "stop": [], "kill": [step_id]})
    assert states(emr, cluster_id) == ["CANCEL_PENDING"]


def test_termination_cancels_the_steps_that_wait(emr: Any) -> None:
    cluster_id = cluster(emr, steps=[step()])
    emr.terminate_job_flows(JobFlowIds=[cluster_id])
    assert (states(emr, cluster_id), cluster_state(emr, cluster_id)) == (["CANCELLED"], "TERMINATED")


@pytest.mark.parametrize(
    ("call", "code"),
    [
        pytest.param(
            lambda emr, live, gone: emr.add_job_flow_steps(JobFlowId=gone, Steps=[step()]),
            "ValidationException",
            id="step on a terminated cluster",
        ),
        pytest.param(
            lambda emr, live, gone: emr.add_job_flow_steps(JobFlowId=live, Steps=[step(action="CANCEL_AND_WAIT")]),
            "ValidationException",
            id="action on failure where steps run side by side",
        ),
        pytest.param(
            lambda emr, live, gone: emr.add_job_flow_steps(JobFlowId=live, Steps=[step(arguments=["x" * 10_240])]),
            "ValidationException",
            id="arguments longer than EMR takes",
        ),
        pytest.param(
            lambda emr, live, gone: emr.add_job_flow_steps(JobFlowId="j-NONE", Steps=[step()]),
            "InvalidRequestException",
            id="step on an unknown cluster",
        ),
        pytest.param(
            lambda emr, live, gone: emr.describe_step(ClusterId=live, StepId="s-NONE"),
            "InvalidRequestException",
            id="unknown step",
        ),
        pytest.param(
            lambda emr, live, gone: emr.put_auto_termination_policy(
                ClusterId=live, AutoTerminationPolicy={"IdleTimeout": 59}
            ),
            "ValidationException",
            id="idle timeout below a minute",
        ),
    ],
)
def test_what_emr_refuses_is_refused_with_its_error_code(emr: Any, call: Any, code: str) -> None:
    live, gone = cluster(emr, StepConcurrencyLevel=2), cluster(emr)
    emr.terminate_job_flows(JobFlowIds=[gone])
    with pytest.raises(ClientError) as error:
        call(emr, live, gone)
    assert error.value.response["Error"]["Code"] == code


def test_the_idle_timeout_is_kept_changed_and_removed(emr: Any) -> None:
    cluster_id = cluster(emr, AutoTerminationPolicy={"IdleTimeout": 120})

    def policy() -> Any:
        return emr.get_auto_termination_policy(ClusterId=cluster_id).get("AutoTerminationPolicy")

    assert policy() == {"IdleTimeout": 120}
    emr.put_auto_termination_policy(ClusterId=cluster_id, AutoTerminationPolicy={"IdleTimeout": 60})
    assert policy() == {"IdleTimeout": 60}
    emr.remove_auto_termination_policy(ClusterId=cluster_id)
    assert policy() is None
