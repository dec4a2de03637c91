"""Both jobs on the made-up day: its counts to the digit, and spoofed mail told from honest mail."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_agari_provider.local.demo.messages import day_of_messages, write_day, write_history
from airflow_agari_provider.local.demo.published_day import DAY, PUBLISHED_DAY, Organisation, scaled
from tests.example_dags.spark.job_files import counts, records

pytestmark = pytest.mark.spark


class Folder:
    """Takes what is put on S3."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803  (boto3's names)
        file = self.path / Bucket / Key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(Body)


@pytest.fixture
def score_day(run_job, tmp_path):
    def run(organisations: tuple[Organisation, ...], seed: int, day: date = DAY) -> Path:
        write_history(Folder(tmp_path), "archive", day, organisations=organisations, seed=seed)
        write_day(Folder(tmp_path), "today", day, organisations, seed)
        run_job("build_trust_model.py", "--input", tmp_path / "archive", "--output", tmp_path / "model")
        run_job(
            "score_messages.py",
            *("--input", tmp_path / "today", "--model", tmp_path / "model"),
            *("--output", tmp_path / "scored", "--counts", tmp_path / "counts"),
            *("--summaries", tmp_path / "summaries"),
            *("--window-start", day, "--window-end", day + timedelta(days=1)),
        )
        return tmp_path

    return run


def shares_not_trusted(scored: list[dict[str, Any]], spoofed: set[str]) -> tuple[float, float]:
    """(of the spoofed messages, of the authentic ones)"""
    seen = Counter((record["message_id"] in spoofed, record["verdict"] != "trusted") for record in scored)
    return tuple(seen[kind, True] / (seen[kind, True] + seen[kind, False]) for kind in (True, False))


def spoofed_ids(organisations: tuple[Organisation, ...], seed: int) -> set[str]:
    return {each for upload in day_of_messages(DAY, organisations, seed) for each in upload.spoofed}


def test_the_published_day_comes_out_with_the_published_counts(score_day):
    folder = score_day(PUBLISHED_DAY, seed=2016)
    by_stage: dict[str, dict[int, int]] = {"read": {}, "scored": {}}
    skipped: Counter[int] = Counter()
    for (stage, key), count in counts(folder / "counts").items():
        if stage in by_stage:
            by_stage[stage][int(key)] = count
        else:
            skipped[int(key)] += count
    assert by_stage == {
        "read": {1: 340, 5: 43115, 6: 156, 7: 73, 12: 315, 14: 35648, 16: 35383, 25: 20530, 54: 30003, 56: 108084},
        "scored": {1: 266, 5: 43115, 6: 153, 7: 68, 12: 111, 14: 28731, 16: 34010, 25: 20530, 54: 26190, 56: 108080},
    }
    assert skipped == {1: 74, 5: 0, 6: 3, 7: 5, 12: 204, 14: 6917, 16: 1373, 25: 0, 54: 3813, 56: 4}
    scored = records(folder / "scored")
    assert Counter(record["org_id"] for record in scored) == by_stage["scored"]
    assert len({(record["org_id"], record["message_id"]) for record in scored}) == 261_254
    assert {record["hour"] for record in scored} == {f"2016-04-28T{hour:02d}" for hour in range(24)}
    summaries = records(folder / "summaries")
    assert sum(record["messages"] for record in summaries) == 261_254
    assert len({record["domain"] for record in summaries}) == 22_058
    of_spoofed, of_authentic = shares_not_trusted(scored, spoofed_ids(PUBLISHED_DAY, seed=2016))
    assert of_spoofed > 0.965
    assert of_authentic < 0.008


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nearly_all_spoofed_mail_and_hardly_any_other_is_distrusted(score_day, seed):
    organisations = scaled(PUBLISHED_DAY, 20_000)
    folder = score_day(organisations, seed)
    of_spoofed, of_authentic = shares_not_trusted(records(folder / "scored"), spoofed_ids(organisations, seed))
    assert of_spoofed >= 0.95
    assert of_authentic <= 0.01
