"""
Purges and redrives killed (SIGKILL) at random moments lose no letter, and double only what their pages say.

``make torture-letters`` is the long form: 5,000 letters and 20 kills each.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.queues.letters_torture import LetterTorture, line

SEED = int(os.environ.get("TORTURE_SEED", "7"))
LETTERS = int(os.environ.get("TORTURE_LETTERS", "60"))
KILLS = int(os.environ.get("TORTURE_KILLS", "3"))
REPORT = os.environ.get("TORTURE_REPORT")  # a file for the figures, a line each
BATCH = 10  # letters; so many may be doubled by each kill


@pytest.fixture
def torture(aws, sqs, s3, bucket, request):
    return LetterTorture(sqs, s3, aws, LETTERS, random.Random(SEED), fifo=getattr(request, "param", False))


def check(what, torture, found, doubles):
    account = torture.account(found)
    print(line(what, torture, account))
    if REPORT:
        with Path(REPORT).open("a") as file:
            print(line(what, torture, account), file=file)
    assert (account["lost"], account["left"]) == (0, 0)
    assert account["doubles"] <= doubles


@pytest.mark.parametrize("what", ["purge", "purge as Avro"])
def test_a_purge_that_is_killed_loses_nothing(torture, what):
    torture.kill_workers(what, KILLS, requests=LETTERS // BATCH * 4 // KILLS + 1)
    check(what, torture, torture.archived(), doubles=BATCH * KILLS)
    if what == "purge":  # and a letter that is in the archive twice comes back once, but for those of a kill
        archived = torture.kills
        torture.kill_workers("archive", KILLS, requests=LETTERS // BATCH * 3 // KILLS + 1)
        check("archive", torture, torture.arrived(), doubles=BATCH * (torture.kills - archived))


@pytest.mark.parametrize(
    ("torture", "doubles"), [(False, BATCH * KILLS), (True, 0)], indirect=["torture"], ids=["standard", "FIFO"]
)
def test_a_redrive_that_is_killed_loses_nothing_and_doubles_no_more_than_a_batch(torture, doubles):
    torture.kill_workers("redrive", KILLS, requests=LETTERS // BATCH * 3 // KILLS + 1)
    check("redrive FIFO" if torture.fifo else "redrive", torture, torture.arrived(), doubles)
