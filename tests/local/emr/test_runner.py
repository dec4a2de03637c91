from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from airflow_agari_provider.local.aws import start_aws
from airflow_agari_provider.local.emr.runner import Books, BooksFailed, EmrRunner, FolderInUse
from airflow_agari_provider.local.emr.step import StepRun
from tests.local.emr.submitted_steps import NO_JAVA, Emr, processes_named, wait_script


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


@pytest.mark.parametrize(
    ("action", "second", "cluster"),
    [
        ("CONTINUE", "COMPLETED", "WAITING"),
        ("CANCEL_AND_WAIT", "CANCELLED", "WAITING"),
        ("TERMINATE_CLUSTER", "CANCELLED", "TERMINATED_WITH_ERRORS"),
        ("TERMINATE_JOB_FLOW", "CANCELLED", "TERMINATED_WITH_ERRORS"),
    ],
)
def test_the_action_on_failure_decides_over_the_steps_after_it(
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


def test_a_step_that_ignores_the_signal_to_stop_goes_on_until_it_is_killed(
    emr: Emr, runner: EmrRunner, tmp_path: Path
) -> None:
    emr.create()
    step_id = emr.submit(
        f"""
        import signal
        def ignore(*_):
            Path({str(tmp_path)!r}, "ignored").touch()
        signal.signal(signal.SIGTERM, ignore)
        Path({str(tmp_path)!r}, "starts").touch()
        while True:
            time.sleep(0.02)
        """
    )
    emr.wait_for((tmp_path / "starts").exists)
    emr.emr.cancel_steps(ClusterId=emr.cluster_id, StepIds=[step_id])
    emr.wait_for((tmp_path / "ignored").exists)
    assert emr.state(step_id) == "CANCEL_PENDING"
    emr.emr.cancel_steps(ClusterId=emr.cluster_id, StepIds=[step_id], StepCancellationOption="TERMINATE_PROCESS")
    assert emr.end(step_id) == "CANCELLED"


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


def test_a_long_error_of_the_books_is_told_in_part() -> None:
    class Refusal(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(500)
            self.end_headers()
            self.wfile.write(b"x" * 600)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(BooksFailed) as failed:
            Books(f"http://127.0.0.1:{server.server_port}")("orders")
        server.shutdown()
    assert (failed.value.function, failed.value.status) == ("orders", 500)
    assert failed.value.text == "x" * 493 + "… (cut)"
