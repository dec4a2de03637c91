"""
The long form of the torture of letters; what it did is printed, the last line is one JSON object.

5,000 letters each for the purge (as JSON lines and as Avro), the redrive of its archive, and the redrive by hand of a
standard and a FIFO queue; 20 kill -9 at random moments of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = {"TORTURE_KILLS": "20", "TORTURE_LETTERS": "5000"}


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="agari-torture-") as folder:
        report = Path(folder) / "report"
        report.touch()
        settings = SETTINGS | {"TORTURE_SEED": str(int(time.time()))} | dict(os.environ)
        settings |= {"TORTURE_REPORT": str(report)}
        print(f"seed {settings['TORTURE_SEED']}", flush=True)
        tests = ["-m", "pytest", "-q", "--no-header", "--show-capture=no", "tests/queues/test_letters_torture.py"]
        code = subprocess.run([sys.executable, *tests], env=settings).returncode
        runs = [json.loads(text) for text in report.read_text().splitlines()]
    for run in runs:
        print(run)
    totals = {name: sum(run[name] for run in runs) for name in ("letters", "kills", "lost", "doubles", "left")}
    print(json.dumps({**totals, "runs": len(runs), "exact": code == 0, "seed": int(settings["TORTURE_SEED"])}))
    return code


if __name__ == "__main__":
    sys.exit(main())
