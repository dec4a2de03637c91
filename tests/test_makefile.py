"""What make installs, with a uv that only writes down what it is asked for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = ["Makefile", "pyproject.toml", "hatch_build.py", "airflow_agari_provider/views/frontend/package-lock.json"]
FILES += [f"constraints/airflow-{version}.txt" for version in ("3.3", "2.11")]


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose virtual environment has that uv."""
    if shutil.which("make") is None:
        pytest.skip("no make on this machine; on Debian: apt-get install make")
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    uv = f'[ "$1" = venv ] && for folder; do :; done && mkdir -p "$folder"; echo "$@" >> {tmp_path}/asked'
    script(tmp_path / ".venv/bin/uv", uv)
    script(tmp_path / "machine/cc", "exit 0")
    return tmp_path


def install(checkout: Path, environment: str, headers: bool) -> list[str]:
    """What uv is asked for; headers: whether pkg-config finds those of MariaDB's client."""
    script(checkout / "machine/pkg-config", f"exit {0 if headers else 1}")
    (checkout / "asked").unlink(missing_ok=True)
    machine = {**os.environ, "PATH": f"{checkout}/machine:{os.environ['PATH']}", "MAKEFLAGS": ""}
    subprocess.run(["make", f"{environment}/.installed"], cwd=checkout, env=machine, check=True, capture_output=True)
    return (checkout / "asked").read_text().splitlines() if (checkout / "asked").exists() else []


@pytest.mark.parametrize(
    ("environment", "wanted"), [(".venv", ",mysql]"), (".venv-airflow2", ",mysql]"), (".venv-core", " mysqlclient")]
)
def test_headers_of_mysql_s_client_that_come_later_bring_its_extra(checkout, environment, wanted):
    before = install(checkout, environment, headers=False)
    assert before
    assert not [line for line in before if wanted in line]
    assert install(checkout, environment, headers=False) == []
    assert [line for line in install(checkout, environment, headers=True) if wanted in line]
    assert install(checkout, environment, headers=True) == []


def pins(version: str) -> dict[str, str]:
    """Versions in a list, by the name of the package."""
    lines = (ROOT / "constraints" / f"airflow-{version}.txt").read_text().splitlines()
    return dict(line.partition(" ;")[0].split("==") for line in lines if "==" in line)


def test_what_our_own_nouns_use_has_one_version_on_both_airflows():
    """So .ci/run tests them once: on another version they would have to be tested with each list."""
    (installed,) = re.findall(r"--python \$\(CORE\) aiosmtpd .*?\|\|", (ROOT / "Makefile").read_text(), re.DOTALL)
    names = set(re.findall(r"[a-z][\w-]*", re.sub(r"\[[^]]*\]|--python|\$\(\w+\)", " ", installed)))
    on_3, on_2 = pins("3.3"), pins("2.11")
    shared = {name for name in names if name in on_3}
    assert {"boto3", "datafusion", "fastavro", "moto", "psycopg", "pgpq"} <= shared
    assert {name: on_3[name] for name in shared} == {name: on_2.get(name) for name in shared}
