from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from airflow_agari_provider.local.aws import start_aws
from airflow_agari_provider.local.emr.runner import EmrRunner, FolderInUse
from airflow_agari_provider.local.emr.step import StepRun

NO_JAVA = Path("no-java-is-needed")


@dataclass
class Emr:
    """A cluster of the embedded AWS as a submitter sees it, with one bucket ``agari``."""

    client: Callable[[str], Any]
    wait_for: Callable[..., Any]
    cluster_id: str = ""
    scripts: int = field(default=0)

    def __post_init__(self) -> None:
        self.s3, self.emr = self.client("s3"), self.client("emr")
        self.s3.create_bucket(Bucket="agari")

    def create(self, *, keep: bool = True, steps: int = 1, **more: Any) -> str:
        instances = {"InstanceCount": 1, "MasterInstanceType": "m5.xlarge", "KeepJobFlowAliveWhenNoSteps": keep}
        logs = {"LogUri": "s3://agari/logs/"}
        answer = self.emr.run_job_flow(
            Name="scoring", Instances=instances, StepConcurrencyLevel=steps, **{**logs, **more}
        )
        self.cluster_id = answer["JobFlowId"]
        return self.cluster_id

    def step(self, code: str, *arguments: str, action: str = "CONTINUE") -> dict[str, Any]:
        """A step that runs the code; below ``s3`` it finds what its arguments name."""
        self.scripts += 1
        script = f"scripts/{self.scripts}.py"
        prelude = "import os, sys, time\nfrom pathlib import Path\ns3 = Path('s3/agari')\n"
        self.s3.put_object(Bucket="agari", Key=script, Body=(prelude + textwrap.dedent(code)).encode())
        submit = ["spark-submit", "--deploy-mode", "cluster", f"s3://agari/{script}", *arguments]
        jar = {"Jar": "command-runner.jar", "Args": submit}
        return {"Name": "score", "ActionOnFailure": action, "HadoopJarStep": jar}

    def submit(self, code: str, *arguments: str, action: str = "CONTINUE") -> str:
        step = self.step(code, *arguments, action=action)
        return str(self.emr.add_job_flow_steps(JobFlowId=self.cluster_id, Steps=[step])["StepIds"][0])

    def status(self, step_id: str) -> dict[str, Any]:
        status: dict[str, Any] = self.emr.describe_step(ClusterId=self.cluster_id, StepId=step_id)["Step"]["Status"]
        return status

    def state(self, step_id: str) -> str:
        return str(self.status(step_id)["State"])

    def cluster_state(self) -> str:
        return str(self.emr.describe_cluster(ClusterId=self.cluster_id)["Cluster"]["Status"]["State"])

    def end(self, step_id: str) -> str:
        """The step's state once it has ended."""
        self.wait_for(lambda: self.state(step_id) not in ("PENDING", "RUNNING", "CANCEL_PENDING"))
        return self.state(step_id)

    def put(self, *keys: str) -> None:
        for key in keys:
            self.s3.put_object(Bucket="agari", Key=key, Body=key.encode())

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket="agari", Prefix=prefix).get("Contents", [])]

    def text(self, key: str) -> str:
        return str(self.s3.get_object(Bucket="agari", Key=key)["Body"].read().decode())

    def log(self, step_id: str, name: str) -> str:
        key = f"logs/{self.cluster_id}/steps/{step_id}/{name}.gz"
        return gzip.decompress(self.s3.get_object(Bucket="agari", Key=key)["Body"].read()).decode()


@pytest.fixture
def emr(client: Callable[[str], Any], wait_for: Callable[..., Any]) -> Emr:
    return Emr(client, wait_for)


@pytest.fixture
def new_runner(local_aws: str, tmp_path: Path, fake_spark: Path) -> Callable[..., EmrRunner]:
    def new(**more: Any) -> EmrRunner:
        options = {"spark_home": fake_spark, "java_home": NO_JAVA, "poll_interval": 0.02, **more}
        return EmrRunner(local_aws, tmp_path / "node", **options)

    return new


@pytest.fixture
def runner(new_runner: Callable[..., EmrRunner]) -> Iterator[EmrRunner]:
    """A runner at work."""
    stopped = threading.Event()
    runner = new_runner()
    thread = threading.Thread(target=runner.run, args=[stopped])
    thread.start()
    yield runner
    stopped.set()
    thread.join()


@pytest.fixture
def runner_process(local_aws: str, tmp_path: Path, fake_spark: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Starts a runner in a process of its own, for the same folder each time."""
    started = []
    code = f"""
        import signal, threading
        from pathlib import Path
        from airflow_agari_provider.local.emr.runner import EmrRunner
        stopped = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: stopped.set())
        node = Path({str(tmp_path / "node")!r})
        runner = EmrRunner({local_aws!r}, node, Path({str(fake_spark)!r}), Path("no-java"), poll_interval=0.02)
        runner.run(stopped)
    """

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)]))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def processes_named(word: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if word in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_script(tmp_path: Path) -> str:
    """Says that it has started, with a child in the background, and then does nothing until it is killed."""
    return f"""
        import subprocess
        (s3 / 'out').mkdir(parents=True)
        (s3 / 'out' / 'half').write_text('half')
        subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {str(tmp_path)!r}])
        with open({str(tmp_path / "starts")!r}, 'a') as starts:
            starts.write('started\\n')
        time.sleep(600)
    """


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


@pytest.mark.parametrize(
    ("action", "second", "cluster"),
    [
        ("CONTINUE", "COMPLETED", "WAITING"),
        ("CANCEL_AND_WAIT", "CANCELLED", "WAITING"),
        ("TERMINATE_CLUSTER", "CANCELLED", "TERMINATED_WITH_ERRORS"),
        ("TERMINATE_JOB_FLOW", "CANCELLED", "TERMINATED_WITH_ERRORS"),
    ],
)
def test_the_action_on_failure_decides_over_the_steps_behind(
    emr: Emr, runner: EmrRunner, action: str, second: str, cluster: str
) -> None:
    steps = [emr.step("sys.exit(3)", action=action), emr.step("pass")]
    emr.create(Steps=steps)
    newest_first = emr.emr.list_steps(ClusterId=emr.cluster_id)["Steps"]
    assert [emr.end(step["Id"]) for step in reversed(newest_first)] == ["FAILED", second]
    emr.wait_for(lambda: emr.cluster_state() == cluster)


def test_steps_run_one_after_the_other_unless_the_cluster_allows_more(emr: Emr, runner: EmrRunner) -> None:
    emr.create(steps=1)
    first, second = emr.submit("time.sleep(0.3)"), emr.submit("pass")
    assert (emr.end(second), emr.state(first)) == ("COMPLETED", "COMPLETED")
    times = [emr.status(step_id)["Timeline"] for step_id in (first, second)]
    assert times[1]["StartDateTime"] >= times[0]["EndDateTime"]


def test_a_concurrency_of_two_runs_two_steps_side_by_side(emr: Emr, runner: EmrRunner, tmp_path: Path) -> None:
    emr.create(steps=2)
    meet = f"""
        mine, other = [Path({str(tmp_path)!r}) / name for name in sys.argv[1:]]
        mine.touch()
        while not other.exists():
            time.sleep(0.02)
    """
    first, second = emr.submit(meet, "one", "two"), emr.submit(meet, "two", "one")
    assert (emr.end(first), emr.end(second)) == ("COMPLETED", "COMPLETED")


def test_a_cancelled_step_ends_with_everything_it_started(emr: Emr, runner: EmrRunner, tmp_path: Path) -> None:
    emr.create()
    step_id = emr.submit(wait_script(tmp_path), "s3://agari/out")
    emr.wait_for((tmp_path / "starts").exists)
    assert len(processes_named(str(tmp_path))) == 1
    emr.emr.cancel_steps(ClusterId=emr.cluster_id, StepIds=[step_id])
    assert emr.state(step_id) in ("CANCEL_PENDING", "CANCELLED")
    assert emr.end(step_id) == "CANCELLED"
    emr.wait_for(lambda: not processes_named(str(tmp_path)))
    assert emr.keys("out") == []
    assert "FailureDetails" not in emr.status(step_id)


def test_what_a_step_leaves_running_ends_with_it(emr: Emr, runner: EmrRunner, tmp_path: Path) -> None:
    emr.create()
    leave = f"""
        import subprocess
        sleep = [sys.executable, '-c', 'import time; time.sleep(600)', {str(tmp_path)!r}]
        subprocess.Popen(sleep, start_new_session=True)
    """
    assert emr.end(emr.submit(leave)) == "COMPLETED"
    assert processes_named(str(tmp_path)) == []


def test_a_terminated_cluster_interrupts_its_step(emr: Emr, runner: EmrRunner, tmp_path: Path) -> None:
    emr.create()
    step_id = emr.submit(wait_script(tmp_path), "s3://agari/out")
    emr.wait_for((tmp_path / "starts").exists)
    emr.emr.terminate_job_flows(JobFlowIds=[emr.cluster_id])
    assert emr.end(step_id) == "INTERRUPTED"
    emr.wait_for(lambda: not processes_named(str(tmp_path)))
    assert (emr.keys("out"), emr.cluster_state()) == ([], "TERMINATED")


def test_a_cluster_without_keep_alive_ends_after_its_last_step(emr: Emr, runner: EmrRunner) -> None:
    emr.create(keep=False, Steps=[emr.step("pass"), emr.step("pass")])
    emr.wait_for(lambda: emr.cluster_state() == "TERMINATED")
    steps = emr.emr.list_steps(ClusterId=emr.cluster_id)["Steps"]
    assert [step["Status"]["State"] for step in steps] == ["COMPLETED", "COMPLETED"]


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


def test_a_killed_runner_loses_its_step_but_nothing_runs_on_or_twice(
    emr: Emr, runner_process: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    emr.create()
    foreign = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    first_life = runner_process()
    step_id = emr.submit(wait_script(tmp_path), "s3://agari/out")
    emr.wait_for((tmp_path / "starts").exists)
    first_life.kill()
    first_life.wait()
    assert len(processes_named(str(tmp_path))) == 1  # as on a machine that lost its agent
    assert emr.state(step_id) == "RUNNING"

    runner_process()
    assert emr.end(step_id) == "FAILED"
    assert emr.status(step_id)["FailureDetails"]["Message"] == "The node that ran the step died"
    assert processes_named(str(tmp_path)) == []
    assert emr.end(emr.submit("print('alive')")) == "COMPLETED"
    assert (tmp_path / "starts").read_text() == "started\n"
    assert emr.keys("out") == []
    assert foreign.poll() is None
    foreign.communicate(b"\n")


def test_a_runner_that_dies_between_upload_and_publication_shows_none_of_the_output(
    emr: Emr, new_runner: Callable[..., EmrRunner]
) -> None:
    emr.create()
    step_id = emr.submit("(s3 / 'out').mkdir(); (s3 / 'out' / 'part-0').write_text('scored')", "s3://agari/out")
    first_life = new_runner()
    order = next(iter(first_life.books("orders", node=first_life.node, running=[], free=1)["start"]))
    from airflow_agari_provider.local.emr.logs import StepOrder

    end = StepRun(StepOrder(**order), first_life.work_dir / "steps" / step_id, first_life.s3, first_life.spark).run()
    assert (end.state, [upload["key"] for upload in end.uploads]) == ("COMPLETED", ["out/part-0"])
    assert emr.keys("out") == []  # and here it dies

    stopped = threading.Event()
    thread = threading.Thread(target=new_runner().run, args=[stopped])
    thread.start()
    assert emr.end(step_id) == "FAILED"
    stopped.set()
    thread.join()
    assert emr.keys("out") == []


def test_a_runner_that_is_stopped_ends_its_step_as_failed(
    emr: Emr, runner_process: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    emr.create()
    process = runner_process()
    step_id = emr.submit(wait_script(tmp_path), "s3://agari/out")
    emr.wait_for((tmp_path / "starts").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert processes_named(str(tmp_path)) == []
    assert emr.state(step_id) == "FAILED"
    assert emr.status(step_id)["FailureDetails"]["Message"] == "The node that ran the step was shut down"


def test_two_runners_cannot_share_a_folder(new_runner: Callable[..., EmrRunner]) -> None:
    stopped = threading.Event()
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(new_runner().run, stopped) for _ in range(2)]
        wait(runs, timeout=60, return_when=FIRST_COMPLETED)
        stopped.set()
    (refused,) = filter(None, [run.exception() for run in runs])
    with pytest.raises(FolderInUse, match="--work-dir of its own"):
        raise refused


def test_a_runner_waits_for_an_aws_that_is_not_there_yet(
    emr: Emr, new_runner: Callable[..., EmrRunner], fake_spark: Path, tmp_path: Path
) -> None:
    probe = start_aws()
    port = probe.port
    probe.shutdown()
    probe.server_close()
    stopped = threading.Event()
    late = EmrRunner(f"http://127.0.0.1:{port}", tmp_path / "late", fake_spark, NO_JAVA, poll_interval=0.02)
    thread = threading.Thread(target=late.run, args=[stopped])
    thread.start()
    server = start_aws(port)
    emr.create()
    assert emr.end(emr.submit("pass")) == "COMPLETED"
    stopped.set()
    thread.join()
    server.shutdown()
    server.server_close()


def test_the_environment_of_the_runner_reaches_the_step(
    emr: Emr, new_runner: Callable[..., EmrRunner], monkeypatch: pytest.MonkeyPatch, local_aws: str
) -> None:
    monkeypatch.setenv("AGARI_DEMO", "run-7")
    stopped = threading.Event()
    thread = threading.Thread(target=new_runner().run, args=[stopped])
    thread.start()
    emr.create()
    step_id = emr.submit("print(os.environ['AGARI_DEMO'], os.environ['AWS_ENDPOINT_URL'])")
    assert emr.end(step_id) == "COMPLETED"
    stopped.set()
    thread.join()
    assert emr.log(step_id, "stdout") == f"run-7 {local_aws}\n"
