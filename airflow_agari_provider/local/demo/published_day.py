"""The day that Agari published in 2016: how many messages of each organisation every stage of its pipeline saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

DAY = date(2016, 4, 28)


@dataclass(frozen=True)
class Organisation:
    """
    A customer's day.

    :param collector: messages that its mail gateways sent.
    :param skipped: those of them that scoring has to leave out.
    :param nrt: messages that the near-real-time pipeline loaded.
    """

    org_id: int
    collector: int
    skipped: int
    nrt: int

    @property
    def scored(self) -> int:
        """Messages that scoring has to deliver and the database has to hold."""
        return self.collector - self.skipped


# Table of EP_STAGE, 2016-04-28; scored adds up to the 261,254 messages of its header.
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
    The same day with another number of messages: shares stay, within the rounding.

    Every organisation keeps a message at least; one that had skipped ones keeps one of these, as soon as it has two.

    :param messages: of all organisations together, exact.
    :raises ValueError: fewer messages than organisations.
    """
    if messages < len(organisations):
        raise ValueError(f"{messages} message(s) cannot be shared among {len(organisations)} organisations")
    collected = shared_out(messages, [organisation.collector for organisation in organisations])
    while 0 in collected:
        collected[collected.index(max(collected))] -= 1
        collected[collected.index(0)] = 1
    return tuple(map(_of_size, organisations, collected))


def shared_out(total: int, weights: Sequence[int]) -> list[int]:
    """Whole numbers in proportion to the weights that add up to the total (by largest remainders, first of equals)."""
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
