"""
The long form of the torture of streams; what it did is printed, the last line is one JSON object.

100 kill -9 at random moments over SQLite, PostgreSQL and MariaDB, with a split or a merge before each; four importers
at once for 20,000 records, one of which is killed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = {"TORTURE_KILLS": "100", "TORTURE_ROWS": "20000"}
FILES = ["tests/streams/test_stream_torture.py"]


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="agari-torture-") as folder:
        report = Path(folder) / "report"
        report.touch()
        settings = (
            SETTINGS | {"TORTURE_SEED": str(int(time.time()))} | dict(os.environ) | {"TORTURE_REPORT": str(report)}
        )
        print(f"seed {settings['TORTURE_SEED']}", flush=True)
        tests = ["-m", "pytest", "-q", "--no-header", "--show-capture=no", *FILES]
        code = subprocess.run([sys.executable, *tests], env=settings).returncode
        runs = [json.loads(line) for line in report.read_text().splitlines()]
    for run in runs:
        print(run)
    totals = {name: sum(run[name] for run in runs) for name in ("kills", "splits", "merges", "rows")}
    print(json.dumps({**totals, "runs": len(runs), "exact": code == 0, "seed": int(settings["TORTURE_SEED"])}))
    return code


if __name__ == "__main__":
    sys.exit(main())
