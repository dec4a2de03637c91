"""
The long form of the torture of imports; what it did is printed, the last line is one JSON object.

100 kill -9 at random moments over SQLite, PostgreSQL and MariaDB, each followed by a retry; four importers at once for
200 objects, from a folder and from a queue; every message twice, in a queue that hides it for one second; 20,000
mutated schemas and as many headers, and as many pairs of a file's and a reader's schema.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SETTINGS = {
    "TORTURE_KILLS": "100", "TORTURE_OBJECTS": "200", "TORTURE_BIG": "60000", "TORTURE_MUTATED": "20000",
    "TORTURE_PAIRS": "20000",
}  # fmt: skip
FILES = [
    "tests/avro_import/test_torture.py",
    "tests/avro_import/test_odd_objects.py",
    "tests/avro/test_resolution_matrix.py",
]


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
    totals = {name: sum(run[name] for run in runs) for name in ("kills", "objects", "rows", "messages")}
    exact = code == 0
    print(json.dumps({**totals, "runs": len(runs), "exact": exact, "seed": int(settings["TORTURE_SEED"])}))
    return code


if __name__ == "__main__":
    sys.exit(main())
