"""
The import of an Avro file from S3 into three databases, compared with what each takes at most and Airflow's operator.

``make bench-import``; ``SIZE=large`` takes 4,000,000 rows (1.3 GB, not compressed) instead of 100,000 (deflate),
``ROUNDS`` more or fewer rounds than 3, ``DATABASES="mysql sqlite"`` some of them. Each round runs every side once, each
in a process of its own, into the same empty table. The most that a database takes is its own loading of the same rows:
PostgreSQL's COPY and MariaDB's LOAD DATA from a file, SQLite's executemany of ready tuples. Memory is what a side's
process needs beyond one that is idle. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import boto3

from tests.benchmarks.email_records import avro_bytes, emails, write_file
from tests.benchmarks.import_databases import Database, mariadb, postgres, sqlite
from tests.benchmarks.import_side import BUCKET, TABLE, WARM_KEY

ROOT = Path(__file__).parents[2]
ROWS, CODEC = (4_000_000, "null") if os.environ.get("SIZE") == "large" else (100_000, "deflate")
ROUNDS = int(os.environ.get("ROUNDS", "3"))
KEY = "emails.avro"
WARM_ROWS = 2000
SMALL, SMALL_OBJECTS, SMALL_ROWS = "small/", 400, 100  # a folder of small objects, whose transactions are the work
LONG_KEY, LONG_ROWS = "long.avro", 1_000_000  # for the ratio without what each import takes to begin
NAMES = os.environ.get("DATABASES", "postgres mysql sqlite").split()
OPENERS = {"postgres": postgres, "mysql": mariadb, "sqlite": sqlite}
Figures = dict[str, list[dict[str, float]]]


@contextmanager
def aws() -> Iterator[str]:
    """Address of an S3 in a process of its own."""
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        address = next(line.split()[-1] for line in server.stderr if "Running on" in line)
        drain = subprocess.Popen(["cat"], stdin=server.stderr, stdout=subprocess.DEVNULL)
        try:
            yield address
        finally:
            server.terminate()
            server.wait()
            drain.wait()


def side(name: str, key: str = KEY) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.import_side", name, key]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def measure(database: Database, sides: Sequence[str], key: str) -> Figures:
    """Run each side in turn, as often as there are rounds; all of them must load the same rows."""
    database.empty_table()
    side("fastavro", key)
    database.keep_rows()
    expected = database.fingerprint()
    figures: Figures = {name: [] for name in sides}
    for number in range(1, ROUNDS + 1):
        for name in sides:
            database.empty_table()
            figures[name].append({"seconds": database.load_rows()} if name == "server" else side(name, key))
            found = database.fingerprint()
            assert found == expected, f"{name} loaded other rows: {found}, not {expected}"
        seconds = ", ".join(f"{name} {figures[name][-1]['seconds']:.2f} s" for name in sides)
        print(f"{database.name}, {key}, round {number}: {seconds}", flush=True)
    return figures


def put_objects(folder: Path) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=WARM_KEY, Body=avro_bytes(emails(WARM_ROWS), CODEC))
    for key, rows in {KEY: ROWS, **({LONG_KEY: LONG_ROWS} if ROWS < LONG_ROWS else {})}.items():
        file = folder / key
        write_file(file, rows, CODEC)
        print(f"{key}: {rows:,} rows, {file.stat().st_size / 1e6:.0f} MB, codec {CODEC}", flush=True)
        with file.open("rb") as body:
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
        file.unlink()
    small = avro_bytes(emails(SMALL_ROWS), CODEC)
    for number in range(SMALL_OBJECTS):
        s3.put_object(Bucket=BUCKET, Key=f"{SMALL}{number:03}.avro", Body=small)


def small_objects(database: Database) -> int:
    """Import the folder of small objects as often as there are rounds, and return how many a second takes."""
    seconds = []
    for _ in range(ROUNDS):
        database.empty_table()
        seconds.append(side("auto", SMALL)["seconds"])
        ((found,),) = database.run(f"SELECT COUNT(*) FROM {TABLE}")
        assert found == SMALL_OBJECTS * SMALL_ROWS, found
    return round(SMALL_OBJECTS / statistics.median(seconds))


def ratio(figures: Figures, one: str, other: str) -> float:
    """Median over the rounds: a machine whose speed drifts still gives a sound one."""
    pairs = zip(figures[one], figures[other], strict=True)
    return round(statistics.median(first["seconds"] / second["seconds"] for first, second in pairs), 3)


def figures_of(database: Database) -> dict[str, Any]:
    os.environ |= database.settings
    side("fastavro")  # creates the tables
    figures = measure(database, database.sides, KEY)
    idle = statistics.median(side("idle")["peak_mib"] for _ in range(ROUNDS))
    end = "" if database.name == "postgres" else f"_{database.name}"
    ours = [name for name in database.sides if name != "server"]
    told: dict[str, Any] = {}
    own = {"postgres": "server_copy", "mysql": "load_data_mysql", "sqlite": "executemany_sqlite"}[database.name]
    for name in ours:
        if name != "s3tosql":
            told[f"ratio_vs_{own}_{name}"] = ratio(figures, name, "server")
        told[f"peak_mib_{name}{end}"] = round(max(one["peak_mib"] for one in figures[name]) - idle)
    if database.name == "postgres":
        for name in ("arrow", "fastavro"):
            told[f"speedup_vs_s3tosql_{name}"] = ratio(figures, "s3tosql", name)
        told["small_objects_per_second_postgres"] = small_objects(database)
        if ROWS < LONG_ROWS:
            told["ratio_vs_server_copy_arrow_1m"] = ratio(
                measure(database, ("server", "arrow"), LONG_KEY), "arrow", "server"
            )
    else:
        told[f"ratio_vs_{own}"] = told[f"ratio_vs_{own}_arrow"]
    # The work of the server's own loading is done by the database's processes.
    cpu = {name: statistics.median(one["cpu_seconds"] for one in figures[name]) for name in ours}
    told[f"cpu_us_per_row{end}"] = {name: round(seconds / ROWS * 1e6, 1) for name, seconds in cpu.items()}
    wall = {name: statistics.median(one["seconds"] for one in figures[name]) for name in database.sides}
    told[f"rows_per_second{end}"] = {name: round(ROWS / seconds) for name, seconds in wall.items()}
    return told


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="agari-bench-"))
    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AIRFLOW_HOME": str(folder / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    summary: dict[str, Any] = {"rows": ROWS, "codec": CODEC, "rounds": ROUNDS}
    try:
        with aws() as address:
            os.environ["AWS_ENDPOINT_URL"] = address
            put_objects(folder)
            for name in NAMES:
                opened: AbstractContextManager[Database] = OPENERS[name](folder)
                with opened as database:
                    summary |= figures_of(database)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
