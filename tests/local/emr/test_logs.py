from __future__ import annotations

from pathlib import Path

import pytest

from airflow_agari_provider.local.emr.logs import last_error

TRACEBACK = "Traceback (most recent call last):\n  File 'x.py', line 1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "", id="silent"),
        pytest.param("WARN a\nlast words\n\n", "last words", id="no exception"),
        pytest.param(f"{TRACEBACK}ValueError: bad\n", "ValueError: bad", id="Python"),
        pytest.param(
            f"{TRACEBACK}KeyError: 'a'\n\nDuring handling...\n{TRACEBACK}pyspark.errors.AnalysisException: [X] no\n"
            "26/11/21 INFO ShutdownHookManager: bye\n",
            "pyspark.errors.AnalysisException: [X] no",
            id="the last of several",
        ),
        pytest.param(
            f"java.lang.A: x\nCaused by: java.io.FileNotFoundException: gone\n\tat a.b\n{TRACEBACK}"
            "py4j.protocol.Py4JJavaError: An error occurred while calling o75.save.\n",
            "py4j.protocol.Py4JJavaError: An error occurred while calling o75.save.\n"
            "Caused by: java.io.FileNotFoundException: gone",
            id="the JVM's cause",
        ),
        pytest.param(
            f"{TRACEBACK}pyspark.errors.AnalysisException: [X] no\n\nJVM stacktrace:\njava.io.IOException: y\n",
            "pyspark.errors.AnalysisException: [X] no",
            id="Python before the JVM",
        ),
        pytest.param(
            'Exception in thread "main" org.a.B: x\njava.lang.OutOfMemoryError: heap\n\tat a.b\n',
            "java.lang.OutOfMemoryError: heap",
            id="the JVM alone",
        ),
        pytest.param("E" * 10 + "Error: " + "x" * 3000, "EEEEEEEEEEError: " + "x" * 1983, id="cut"),
    ],
)
def test_the_message_of_a_failure_is_its_last_exception(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "stderr").write_text(text)
    assert last_error(tmp_path) == message


def test_a_python_driver_speaks_through_the_standard_output(tmp_path: Path) -> None:
    (tmp_path / "stderr").write_text("java.io.FileNotFoundException: only a warning\n")
    (tmp_path / "stdout").write_text(f"scoring\n{TRACEBACK}ValueError: bad\n")
    assert last_error(tmp_path) == "ValueError: bad"


def test_a_step_that_never_started_has_no_message(tmp_path: Path) -> None:
    assert last_error(tmp_path) == ""
