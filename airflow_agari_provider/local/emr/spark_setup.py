"""The Spark and the Java that every step of the local EMR is started with."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_agari_provider.exceptions import AgariError

# Most of a short job's time is the JVM reading and translating Spark's 17,000 classes. C1 and the serial collector take
# 0.6 of the default's CPU time, and are no slower on a million rows; not to verify classes that come from Spark's own
# jars saves a fifth of the rest; without a first metaspace size, every 20 MB of classes cost a full collection.
QUICK_JAVA = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -XX:MetaspaceSize=256m "
    "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)


class NoSpark(AgariError):
    """pyspark is not installed."""

    def __str__(self) -> str:
        return "Local Spark is not installed: pip install 'airflow-agari-provider[local]'"


@dataclass(frozen=True)
class SparkSetup:
    """
    What every step's ``spark-submit`` is started with.

    :param environment: all variables, those of the runner itself included.
    :param memory: of each JVM: ``1g``.
    """

    home: Path
    register_jar: Path
    environment: Mapping[str, str]
    memory: str


def installed_spark() -> Path:
    """:raises NoSpark: the extra is missing."""
    package = importlib.util.find_spec("pyspark")
    if package is None or package.origin is None:
        raise NoSpark
    return Path(package.origin).parent


def spark_environment(endpoint_url: str, spark_home: Path, java_home: Path, conf: Path) -> dict[str, str]:
    """
    Variables of every step, over the runner's own.

    :param conf: an empty folder instead of a cluster's settings that may lie on this machine.
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
        # what an EMR node gives every program: AWS without being told
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": os.environ.get("AWS_ACCESS_KEY_ID", "local"),
        "AWS_SECRET_ACCESS_KEY": os.environ.get("AWS_SECRET_ACCESS_KEY", "local"),
        "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
    }
