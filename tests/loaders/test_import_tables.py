from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from airflow_agari_provider.loaders.dialects import dialect_of
from airflow_agari_provider.loaders.import_tables import create_import_tables


def test_two_importers_create_the_tables_at_once(connect):
    start = threading.Barrier(4, timeout=30)

    def create() -> None:
        with closing(connect()) as connection:
            start.wait()
            create_import_tables(dialect_of(connection), connection)

    with ThreadPoolExecutor(4) as pool:
        for created in [pool.submit(create) for _ in range(4)]:
            created.result()
