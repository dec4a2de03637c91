"""What one step does, with a shell script in place of Spark."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from airflow_agari_provider.local.emr.runner import EmrRunner
from airflow_agari_provider.local.emr.step import StepStopped
from tests.local.emr.submitted_steps import Emr, processes_named


def test_a_step_reads_what_its_arguments_name_and_its_output_appears(emr: Emr, runner: EmrRunner) -> None:
    emr.create()
    emr.put("in/a.avro", "in/deep/b.avro", "input/not-named.avro")
    step_id = emr.submit(
        """
        print(sorted(str(p) for p in s3.rglob('*.avro')), sys.argv[1:])
        (s3 / 'out').mkdir()
        (s3 / 'out' / 'part-0').write_text('scored')
        (s3 / 'out' / '.part-0.crc').write_text('checksum')
        (s3 / 'out' / '_SUCCESS').touch()
        """,
        "--input",
        "s3://agari/in",
        "--output=s3://agari/out",
    )
    assert emr.end(step_id) == "COMPLETED"
    expected = (
        "['s3/agari/in/a.avro', 's3/agari/in/deep/b.avro'] ['--input', 's3://agari/in', '--output=s3://agari/out']"
    )
    assert emr.log(step_id, "stdout").strip() == expected
    assert emr.log(step_id, "stderr") == ""
    assert (emr.keys("out"), emr.text("out/part-0")) == (["out/_SUCCESS", "out/part-0"], "scored")
    assert emr.keys("in/") == ["in/a.avro", "in/deep/b.avro"]
    timeline = emr.status(step_id)["Timeline"]
    assert timeline["CreationDateTime"] <= timeline["StartDateTime"] < timeline["EndDateTime"]
    assert emr.cluster_state() == "WAITING"


def test_an_overwrite_deletes_the_old_objects_and_keeps_the_untouched_ones(emr: Emr, runner: EmrRunner) -> None:
    emr.create()
    emr.put("out/old", "out/same", "out/changed")
    step_id = emr.submit(
        """
        (s3 / 'out' / 'old').unlink()
        (s3 / 'out' / 'changed').write_text('new content')
        """,
        "s3a://agari/out",
    )
    before = emr.s3.head_object(Bucket="agari", Key="out/same")["LastModified"]
    assert emr.end(step_id) == "COMPLETED"
    assert emr.keys("out/") == ["out/changed", "out/same"]
    assert emr.text("out/changed") == "new content"
    assert emr.s3.head_object(Bucket="agari", Key="out/same")["LastModified"] == before


def test_a_failed_step_says_why_and_leaves_no_output(emr: Emr, runner: EmrRunner) -> None:
    emr.create()
    step_id = emr.submit(
        """
        (s3 / 'out').mkdir()
        (s3 / 'out' / 'part-0').write_text('scored')
        raise ValueError('no such column: trust')
        """,
        "s3://agari/out",
    )
    assert emr.end(step_id) == "FAILED"
    assert emr.status(step_id)["FailureDetails"] == {
        "Reason": "Unknown Error.",
        "Message": "ValueError: no such column: trust",
        "LogFile": f"s3://agari/logs/{emr.cluster_id}/steps/{step_id}/stderr.gz",
    }
    assert emr.status(step_id)["StateChangeReason"]["Message"] == "exit code 1"
    assert "Traceback" in emr.log(step_id, "stderr")
    assert emr.keys("out") == []


def test_what_a_step_leaves_running_ends_with_it(emr: Emr, runner: EmrRunner, tmp_path: Path) -> None:
    emr.create()
    leave = f"""
        import subprocess
        sleep = [sys.executable, '-c', 'import time; time.sleep(600)', {str(tmp_path)!r}]
        subprocess.Popen(sleep, start_new_session=True)
    """
    assert emr.end(emr.submit(leave)) == "COMPLETED"
    assert processes_named(str(tmp_path)) == []


@pytest.mark.parametrize(
    ("jar", "arguments", "message"),
    [
        pytest.param(
            "command-runner.jar", ["bash", "-c", "true"], "runs only command-runner.jar", id="no spark-submit"
        ),
        pytest.param("s3://agari/job.jar", ["spark-submit", "x.py"], "runs only command-runner.jar", id="another jar"),
        pytest.param("command-runner.jar", ["spark-submit", "s3://nobody/x.py"], "NoSuchBucket", id="unknown bucket"),
        pytest.param("command-runner.jar", ["spark-submit", "s3://agari/a/"], "leads out", id="key out of the folder"),
    ],
)
def test_a_step_that_cannot_start_fails_with_the_reason(
    emr: Emr, runner: EmrRunner, jar: str, arguments: list[str], message: str
) -> None:
    emr.put("a/../../outside")
    emr.create()
    step = {"Name": "x", "ActionOnFailure": "CONTINUE", "HadoopJarStep": {"Jar": jar, "Args": arguments}}
    step_id = emr.emr.add_job_flow_steps(JobFlowId=emr.cluster_id, Steps=[step])["StepIds"][0]
    assert emr.end(step_id) == "FAILED"
    assert message in emr.status(step_id)["FailureDetails"]["Message"]
    assert message in emr.log(step_id, "stderr")


def test_a_cluster_without_a_log_bucket_runs_its_steps(emr: Emr, runner: EmrRunner) -> None:
    emr.create(LogUri="s3://nobody/logs/")
    assert emr.end(emr.submit("pass")) == "COMPLETED"


def test_a_stop_names_the_state_and_the_reason_also_in_another_process() -> None:
    stopped = pickle.loads(pickle.dumps(StepStopped("CANCELLED", "Cancelled by user")))
    assert (stopped.state, stopped.reason) == ("CANCELLED", "Cancelled by user")
    assert str(stopped) == "The step was told to end in the state CANCELLED: Cancelled by user"
