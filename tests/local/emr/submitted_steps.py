"""A cluster of the embedded AWS with steps, and the processes that steps leave."""

from __future__ import annotations

import gzip
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

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
