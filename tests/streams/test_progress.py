from __future__ import annotations

from airflow_agari_provider.streams.progress import StreamProgress


def test_the_line_tells_how_far_behind_the_newest_record_the_slowest_shard_is():
    seconds = iter([0.0, 2.0, 2.0, 4.0])
    progress = StreamProgress(60, lambda: next(seconds))
    progress.finish(100, 1_500_000)
    progress.at("one", 3)
    progress.at("other", 12.4)
    assert progress.line() == "1 reads, 100 rows, 1.5 MB, 50 rows/s, 12 s behind the newest record"
    progress.at("other", 0)
    assert progress.behind == 3
