from __future__ import annotations

from pathlib import Path

import pytest

from airflow_agari_provider.local.emr.spark_submit import UnsupportedStep, local_command, parse_step


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    (tmp_path / "step" / "s3" / "agari").mkdir(parents=True)
    return tmp_path / "step" / "s3"


def command(stage: Path, *words: str) -> list[str]:
    submit = parse_step("command-runner.jar", ["spark-submit", *words])
    return local_command(submit, Path("/spark"), stage, Path("/register.jar"), "2g")


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        pytest.param("--master yarn --deploy-mode cluster --num-executors 9", [], id="where the cluster ran it"),
        pytest.param("--executor-memory 8g --driver-memory=8g", [], id="memory"),
        pytest.param("--conf spark.executor.memory=8g -c spark.yarn.queue=x", [], id="the cluster's settings"),
        pytest.param("--conf spark.sql.x=1", ["--conf", "spark.sql.x=1"], id="a setting"),
        pytest.param("--conf=spark.sql.x=1=2", ["--conf", "spark.sql.x=1=2"], id="a setting in one word"),
        pytest.param("--verbose --name day", ["--verbose", "--name", "day"], id="a switch takes no value"),
        pytest.param("--jars file:///usr/lib/spark/*/lib/spark-avro.jar", [], id="EMR's own spark-avro"),
        pytest.param(
            "--jars /usr/lib/spark/x.jar,s3://agari/a.jar", ["--jars", "{stage}/agari/a.jar"], id="a staged library"
        ),
        pytest.param("--packages org.apache.spark:spark-avro_2.12:3.5.0", [], id="spark-avro as a package"),
        pytest.param(
            "--packages org.apache.spark:spark-avro_2.12:3.5.0,a:b:1", ["--packages", "a:b:1"], id="another package"
        ),
    ],
)
def test_options_of_a_cluster_become_options_of_this_machine(stage: Path, options: str, kept: list[str]) -> None:
    words = command(stage, *options.split(), "s3://agari/score.py", "--master", "yarn", "s3://agari/in")
    staged = [word.format(stage=stage) for word in kept]
    assert words[: 2 + 1] == ["/spark/bin/spark-submit", "--master", words[2]]
    assert words[2].startswith("local[")
    tail = [*staged, f"{stage}/agari/score.py", "--master", "yarn", "s3://agari/in"]
    assert words[-len(tail) :] == tail
    own = words[: -len(tail)]
    assert own[-2] == "--conf" or not kept  # ours come first: what the step says wins
    assert own.count("--driver-memory") == 1


def test_every_bucket_of_the_stage_is_mounted(stage: Path) -> None:
    (stage / "other").mkdir()
    mounts = [word for word in command(stage, "x.py") if "mounttable" in word]
    assert sorted(mounts) == [
        f"spark.hadoop.fs.viewfs.mounttable.agari.linkFallback=file://{stage}/agari",
        f"spark.hadoop.fs.viewfs.mounttable.other.linkFallback=file://{stage}/other",
    ]


@pytest.mark.parametrize(
    ("jar", "words"),
    [
        ("command-runner.jar", ["hadoop-streaming", "x"]),
        ("command-runner.jar", []),
        ("command-runner.jar", ["spark-submit"]),
        ("command-runner.jar", ["spark-submit", "--conf"]),
        ("s3://x/script-runner.jar", ["spark-submit", "x.py"]),
    ],
)
def test_what_only_a_real_cluster_runs_is_refused(jar: str, words: list[str]) -> None:
    with pytest.raises(UnsupportedStep):
        parse_step(jar, words)


def test_a_long_step_that_is_refused_is_told_in_part() -> None:
    text = str(UnsupportedStep("command-runner.jar", ["bash", "x" * 300]))
    assert text.endswith("but the step is command-runner.jar bash " + "x" * 188 + "… (cut)")
