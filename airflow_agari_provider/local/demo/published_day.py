"""The day that Agari published in 2016: the number of messages of each organisation at every stage of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

DAY = date(2016, 4, 28)


@dataclass(frozen=True)
class Organisation:
    """
    The counts of one customer's day.

    :param collector: number of messages that its mail gateways sent.
    :param skipped: how many of these messages scoring has to skip.
    :param nrt: number of messages that the near-real-time pipeline loaded.
    """

    org_id: int
    collector: int
    skipped: int
    nrt: int

    @property
    def scored(self) -> int:
        """Number of messages that must be scored and loaded into the database."""
        return self.collector - self.skipped


# Table of EP_STAGE, 2016-04-28; the scored messages add up to the 261,254 in its header.
PUBLISHED_DAY = (
    Organisation(1, collector=340, skipped=74, nrt=340),
    Organisation(5, collector=43_115, skipped=0, nrt=358),
    Organisation(6, collector=156, skipped=3, nrt=0),
    Organisation(7, collector=73, skipped=5, nrt=0),
    Organisation(12, collector=315, skipped=204, nrt=0),
    Organisation(14, collector=35_648, skipped=6_917, nrt=0),
    Organisation(16, collector=35_383, skipped=1_373, nrt=0),
    Organisation(25, collector=20_530, skipped=0, nrt=0),
    Organisation(54, collector=30_003, skipped=3_813, nrt=0),
    Organisation(56, collector=108_084, skipped=4, nrt=0),
)


def scaled(organisations: Sequence[Organisation], messages: int) -> tuple[Organisation, ...]:
    """
    Return the same day with another number of messages. The shares stay the same, except for rounding.

    Every organisation keeps at least one message. An organisation with skipped messages keeps at least one of them, if
    it has two or more messages.

    :param messages: the exact number for all organisations together.
    :raises ValueError: there are fewer messages than organisations.
    """
    if messages < len(organisations):
        raise ValueError(f"{messages} message(s) cannot be shared among {len(organisations)} organisations")
    collected = shared_out(messages, [organisation.collector for organisation in organisations])
    while 0 in collected:
        collected[collected.index(max(collected))] -= 1
        collected[collected.index(0)] = 1
    return tuple(map(_of_size, organisations, collected))


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """
    Return whole numbers that add up to the total, in proportion to the weights.

    The rest goes to the largest remainders; of equal remainders, the first gets it.
    """
    whole = sum(weights) or 1
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda at: total * weights[at] % whole, reverse=True)
    for at in by_remainder[: total - sum(shares)]:
        shares[at] += 1
    return shares


def _of_size(organisation: Organisation, collector: int) -> Organisation:
    def part(count: int) -> int:
        return (count * collector * 2 + organisation.collector) // (2 * organisation.collector)

    skipped = max(part(organisation.skipped), min(organisation.skipped, 1))
    return Organisation(
        organisation.org_id,
        collector=collector,
        skipped=skipped if organisation.scored == 0 else min(skipped, collector - 1),
        nrt=part(organisation.nrt),
    )
