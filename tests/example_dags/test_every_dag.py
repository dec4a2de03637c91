"""Every example DAG is light to parse and quiet."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.example_dags.conftest import FOLDER

HEAVY = ("boto3", "botocore", "datafusion", "fastavro", "pgpq", "psycopg", "psycopg2", "pyspark", "slack_sdk")
PATHS = sorted(FOLDER.glob("*.py"))
EACH = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=os.environ, check=False)


@EACH
def test_parsing_imports_no_heavy_library(path):
    done = python("-X", "importtime", str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "airflow_agari_provider.airflow_compat" in imported
    assert not {name for name in imported if name.split(".")[0] in HEAVY}


@EACH
def test_importing_shows_no_warning_of_its_own(path):
    done = python("-W", "default", str(path))
    assert done.returncode == 0, done.stderr[-2000:]
    ours = [line for line in done.stderr.splitlines() if "example_dags" in line or "airflow_agari_provider" in line]
    assert not [line for line in ours if "Warning" in line]


def test_only_the_dags_are_read_as_dags():
    ignored = (FOLDER / ".airflowignore").read_text().split()
    assert [path.name for path in PATHS if path.name not in ignored] == [
        "alerts_maintenance.py",
        "message_scoring.py",
        "model_building.py",
        "reload_data.py",
    ]
