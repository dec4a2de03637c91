"""The Spark and the Java that run every step of the local EMR."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_agari_provider.exceptions import AgariError

# In a short job, most of the time goes into loading and compiling Spark's 17,000 classes. C1 and the serial collector
# take 0.6 of the default's CPU time, and are not slower on a million rows. Without the verification of classes, which
# come from Spark's own jars, a fifth of the rest is saved. Without an initial metaspace size, every 20 MB of classes
# cause a full collection.
QUICK_JAVA = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -XX:MetaspaceSize=256m "
    "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)


class NoSpark(AgariError):
    """pyspark is not installed."""

    def __str__(self) -> str:
        return (
            "Local Spark is not installed: the package pyspark is missing. Install it with "
            "pip install 'airflow-agari-provider[local]'"
        )


@dataclass(frozen=True)
class SparkSetup:
    """
    The settings with which every step's ``spark-submit`` is started.

    :param home: folder of the Spark installation.
    :param register_jar: see ``spark_submit.write_register_jar``.
    :param environment: all environment variables, including those of the runner itself.
    :param memory: memory of each JVM, such as ``1g``.
    """

    home: Path
    register_jar: Path
    environment: Mapping[str, str]
    memory: str


def installed_spark() -> Path:
    """
    Return the folder of the installed pyspark.

    :raises NoSpark: pyspark is not installed.
    """
    package = importlib.util.find_spec("pyspark")
    if package is None or package.origin is None:
        raise NoSpark
    return Path(package.origin).parent


def spark_environment(endpoint_url: str, spark_home: Path, java_home: Path, conf: Path) -> dict[str, str]:
    """
    Return the environment variables of every step: the runner's own, some of them replaced.

    :param conf: an empty folder, so that settings of a real cluster on this machine are not used.
    """
    return {
        **os.environ,
        "SPARK_HOME": str(spark_home),
        "JAVA_HOME": str(java_home),
        "SPARK_CONF_DIR": str(conf),
        "HADOOP_CONF_DIR": str(conf),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "localhost",
        "SPARK_LAUNCHER_OPTS": QUICK_JAVA,
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        # on a real EMR node, every program can use AWS without settings of its own; so it can here
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "local"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "local"),
        "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
    }
