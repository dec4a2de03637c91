"""Turns a ``spark-submit`` command for an EMR cluster into one that runs on this machine."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from airflow_agari_provider.exceptions import AgariError, cut
from airflow_agari_provider.local.emr.spark_setup import QUICK_JAVA
from airflow_agari_provider.local.emr.staging import S3_URI

SWITCHES = frozenset({"--verbose", "-v", "--supervise", "--usage-error", "--version", "--help", "-h"})
FILE_OPTIONS = frozenset({"--jars", "--py-files", "--files", "--archives"})
# These are left out: this module decides where the job runs and how much memory it gets, not the cluster's options.
CLUSTER_OPTIONS = frozenset(
    {
        "--master",
        "--deploy-mode",
        "--driver-memory",
        "--driver-cores",
        "--executor-memory",
        "--executor-cores",
        "--total-executor-cores",
        "--num-executors",
        "--queue",
        "--principal",
        "--keytab",
    }
)
CLUSTER_SETTINGS = (
    "spark.master",
    "spark.submit.deployMode",
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.executor.",
    "spark.dynamicAllocation.",
    "spark.yarn.",
    "spark.emr",
)
AVRO_PACKAGE = "org.apache.spark:spark-avro"
EMR_LIBRARIES = ("/usr/lib/spark/", "file:///usr/lib/spark/", "local:///usr/lib/spark/")

SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "WARN",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Hadoop's view file system, under another scheme: it makes s3:// paths refer to the staged files
    "spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.fs.s3a.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.fs.s3n.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
    "spark.hadoop.fs.viewfs.overload.scheme.target.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
}


class UnsupportedStep(AgariError):
    """Only a real cluster can run the step."""

    def __init__(self, jar: str, arguments: Sequence[str]) -> None:
        super().__init__(jar, tuple(arguments))
        self.jar, self.arguments = jar, tuple(arguments)

    def __str__(self) -> str:
        return (
            f"The local EMR runs only command-runner.jar with spark-submit and a script, but the step is {self.jar} "
            f"{cut(' '.join(self.arguments), 200)}"
        )


@dataclass(frozen=True)
class SparkSubmit:
    """
    A parsed ``spark-submit`` command.

    :param options: pairs of option and value; ``("--verbose", "")`` for a switch.
    :param application: the script or jar.
    :param arguments: arguments of the application.
    """

    options: tuple[tuple[str, str], ...]
    application: str
    arguments: tuple[str, ...]


def parse_step(jar: str, arguments: Sequence[str]) -> SparkSubmit:
    """
    Return the ``spark-submit`` command of a step.

    :raises UnsupportedStep: the step does not run spark-submit, or names no application.
    """
    words = list(arguments)
    if jar.rpartition("/")[2] != "command-runner.jar" or not words or words.pop(0).rpartition("/")[2] != "spark-submit":
        raise UnsupportedStep(jar, arguments)
    options = []
    while words and words[0].startswith("-"):
        name, equals, value = words.pop(0).partition("=")
        if not equals and name not in SWITCHES:
            value = words.pop(0) if words else ""
        options.append(("--conf" if name == "-c" else name, value))
    if not words:
        raise UnsupportedStep(jar, arguments)
    return SparkSubmit(tuple(options), words[0], tuple(words[1:]))


def local_command(submit: SparkSubmit, spark_home: Path, stage: Path, register_jar: Path, memory: str) -> list[str]:
    """
    Return the command line for this machine.

    :param stage: folder with one folder for each bucket.
    :param register_jar: see ``write_register_jar``.
    :param memory: memory of the JVM, in Java's notation: ``1g``.
    """
    cores = min(4, os.cpu_count() or 1)
    mounts = {
        f"spark.hadoop.fs.viewfs.mounttable.{bucket.name}.linkFallback": bucket.as_uri() for bucket in stage.iterdir()
    }
    own = {
        **SETTINGS,
        **mounts,
        "spark.sql.shuffle.partitions": str(cores),
        "spark.driver.defaultJavaOptions": f"{QUICK_JAVA} -Xms{memory} -Djava.io.tmpdir={stage.parent / 'tmp'}",
        "spark.sql.warehouse.dir": (stage.parent / "warehouse").as_uri(),
    }
    command = [str(spark_home / "bin" / "spark-submit"), "--master", f"local[{cores}]", "--driver-memory", memory]
    command += ["--driver-class-path", str(register_jar)]
    for name, value in own.items():
        command += ["--conf", f"{name}={value}"]
    for name, value in _local_options(submit, stage):
        command += [name, value] if value else [name]
    return [*command, _staged(submit.application, stage), *submit.arguments]


def _local_options(submit: SparkSubmit, stage: Path) -> Iterator[tuple[str, str]]:
    for name, value in submit.options:
        if name in CLUSTER_OPTIONS or (name == "--conf" and value.startswith(CLUSTER_SETTINGS)):
            continue
        if name in SWITCHES:
            yield name, ""
            continue
        kept = value
        if name in FILE_OPTIONS:
            kept = ",".join(_staged(file, stage) for file in value.split(",") if not file.startswith(EMR_LIBRARIES))
        elif name == "--packages":  # Spark 4 contains spark-avro, so it need not be downloaded
            kept = ",".join(package for package in value.split(",") if not package.startswith(AVRO_PACKAGE))
        if kept:
            yield name, kept


def _staged(uri: str, stage: Path) -> str:
    """Replace S3 addresses by the staged files: spark-submit itself can only open real files."""
    return S3_URI.sub(lambda found: str(stage / found[1] / found[2]), uri)


def write_register_jar(folder: Path) -> Path:
    """
    Write a jar that registers ``format("avro")``, and return its path.

    Spark 4 has the Avro source in its SQL jar (SPARK-50112), but registers it only in the separate spark-avro jar.
    """
    jar = folder / "avro-register.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n\n")
        archive.writestr(
            "META-INF/services/org.apache.spark.sql.sources.DataSourceRegister",
            "org.apache.spark.sql.avro.AvroFileFormat\n",
        )
    return jar
