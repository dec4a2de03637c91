"""
How often a wait for a drained queue is wrong, and how late it is right, over simulated histories of a queue.

``make bench-drain`` (minutes; ``ARGS="--histories 100"`` for a small scale). The truth of each history is known: what
its messages and consumers do. The watch sees it as SQS shows it, see ``noisy_queue``. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import json
import multiprocessing
import os
from random import Random
from typing import Any

from airflow_agari_provider.queues.depth import QueueDepth
from airflow_agari_provider.queues.drain_errors import DeadLettersGrew, Stalled
from airflow_agari_provider.queues.drain_watch import DrainWatch
from tests.benchmarks.noisy_queue import NOISES, ReadCount, consumed, rising, slow, stuck, unread

QUEUE, DEAD = "https://sqs/importer", "https://sqs/importer-dead"
STALL_TIMEOUT = 3600
LONGEST = 6 * 3600  # seconds
KINDS = ("ordinary", "rising", "slow", "poison", "unread")


@dataclasses.dataclass(frozen=True)
class Outcome:
    noise: str
    kind: str
    verdict: str  # drained, early, dead letters, stalled, none
    seconds: float  # late, or until the stall was named


def history(noise: str, kind: str, seed: int) -> Outcome:
    """Watch one history with the default settings, until there is a verdict."""
    random = Random(f"{noise} {kind} {seed}")
    make = {"ordinary": consumed, "rising": rising, "slow": slow, "poison": stuck, "unread": unread}[kind]
    truth = make(random)
    jitter = random.random() < 0.2
    drops = random.random()
    visible, in_flight, delayed = (
        ReadCount(random, noise, number, truth.changes, drops, jitter and kind != "ordinary") for number in (1, 2, 3)
    )
    letters = random.choice([0, 0, random.randint(1, 20), random.randint(21, 5000)])
    dead = ReadCount(random, noise, 1, [(float("-inf"), letters, 0, 0)], random.random(), jitter and letters > 20)
    watch = DrainWatch([QUEUE], [DEAD])
    restarts = random.random() < 0.1
    remembered, known = dataclasses.asdict(watch), watch.worth_remembering
    now = 0.0
    while now < LONGEST:
        depth = QueueDepth(visible.read(now), in_flight.read(now), delayed.read(now))
        try:
            pause = watch.observe({QUEUE: depth}, now, {DEAD: dead.read(now)})
        except DeadLettersGrew:
            return Outcome(noise, kind, "dead letters", now)
        except Stalled:
            return Outcome(noise, kind, "stalled", now)
        if pause is None:
            hidden = truth.ends is None or now < truth.ends
            late = 0.0 if hidden else now - max(truth.ends or 0, 0) - watch.quiet_period
            return Outcome(noise, kind, "early" if hidden else "drained", late)
        if known != watch.worth_remembering or now == 0:
            remembered, known = json.loads(json.dumps(dataclasses.asdict(watch))), watch.worth_remembering
        now += pause + random.uniform(0.05, 1)
        if restarts and random.random() < 1 / 720:  # once in six hours
            now += random.uniform(5, 60)
            watch = DrainWatch(**remembered)
            watch.resume()
            known = watch.worth_remembering
    return Outcome(noise, kind, "none", now)


def one(case: tuple[str, str, int]) -> Outcome:
    return history(*case)


def figures(outcomes: list[Outcome]) -> dict[str, Any]:
    def of(*kinds: str) -> list[Outcome]:
        return [outcome for outcome in outcomes if outcome.kind in kinds]

    def named(kind: str) -> float:
        found = of(kind)
        in_time = [one for one in found if one.verdict == "stalled" and one.seconds <= 2 * STALL_TIMEOUT + 60]
        return round(100 * len(in_time) / len(found), 2)

    working = of("ordinary", "rising", "slow")
    late = sorted(outcome.seconds for outcome in of("ordinary") if outcome.verdict == "drained")
    early = collections.Counter(outcome.noise for outcome in of("ordinary", "slow") if outcome.verdict == "early")
    return {
        "drained_too_early": {noise: early[noise] for noise in NOISES},
        "late_p99_seconds": round(late[int(0.99 * len(late))], 1),
        "false_dead_letters_per_1000": round(
            1000 * sum(outcome.verdict == "dead letters" for outcome in outcomes) / len(outcomes), 2
        ),
        "false_stalls_per_1000": round(
            1000 * sum(outcome.verdict == "stalled" for outcome in working) / len(working), 2
        ),
        "poison_named_percent": named("poison"),
        "unread_named_percent": named("unread"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=5000, help="ordinary ones in each class of noise")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    asked = parser.parse_args()
    numbers = {kind: asked.histories if kind == "ordinary" else max(asked.histories // 5, 1) for kind in KINDS}
    cases = [
        (noise, kind, asked.seed + number) for noise in NOISES for kind in KINDS for number in range(numbers[kind])
    ]
    with multiprocessing.Pool(asked.processes) as pool:
        outcomes = pool.map(one, cases, chunksize=20)
    for noise in NOISES:
        for kind in KINDS:
            verdicts = collections.Counter(one.verdict for one in outcomes if (one.noise, one.kind) == (noise, kind))
            print(f"{noise:8} {kind:9} {dict(verdicts)}")
    print(json.dumps(figures(outcomes)))


if __name__ == "__main__":
    main()
