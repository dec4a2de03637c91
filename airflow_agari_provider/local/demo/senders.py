"""
Who writes to the organisations of the made-up day: known senders, small ones, strangers, and forgers of senders.

No single field tells them apart. Forwarding breaks the checks of honest mail, and some honest domains publish no
records to check. Look-alike domains and hijacked accounts pass every check. All names end in .example, .test or
.invalid (RFC 2606), and all addresses are reserved for private networks, carriers or documentation (RFC 6890).
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

Chance = Callable[[], float]
"""Returns the next random number in [0, 1)."""
Message = dict[str, Any]
Thing = TypeVar("Thing")

SENDERS = 400  # few enough that even a small history contains nearly all of them
SPOOFED_SHARE = 0.0327  # of the messages that are not of small senders, so 0.03 of all
SMALL_SENDERS = 21_519  # each writes once on the published day; with the others, that makes its 22,058 domains
# fmt: off
FIRST = (
    "amber", "birch", "cedar", "delta", "ember", "fern", "granite", "harbor", "iris", "juniper",
    "kestrel", "lumen", "maple", "north", "opal", "pioneer", "quartz", "river", "summit", "terra",
)
SECOND = (
    "bank", "books", "cargo", "clinic", "credit", "energy", "foods", "freight", "goods", "health",
    "hotels", "insure", "legal", "media", "motors", "parts", "pay", "shop", "studio", "travel",
)
MAILBOXES = ("news", "billing", "info", "no-reply", "orders", "support", "accounts", "hello", "team", "service")
AFFIXES = ("secure", "login", "billing", "support", "verify", "service", "payments", "team", "help", "portal")
# fmt: on
# The result of the SPF check for a server that does not belong to the domain.
SPF_ELSEWHERE = ("fail",) * 15 + ("softfail",) * 10 + ("neutral",) * 4 + ("temperror",)
# Names of small senders: four of these syllables look like no other name.
SYLLABLES = tuple(consonant + vowel for consonant in "bdfgkpt" for vowel in "aou")
HOMOGLYPHS = (("o", "0"), ("l", "1"), ("i", "l"), ("e", "3"), ("m", "rn"), ("s", "5"), ("a", "4"))


def chance_of(*names: object) -> Chance:
    """
    Return a source of random numbers that are the same in every process and on every Python.

    The module ``random`` only promises that ``random()`` with an integer seed stays the same in later versions. The
    hash of a string differs from process to process, so the seed is made from a digest.

    :param names: what the numbers are for; other names give other numbers.
    """
    digest = hashlib.sha256("/".join(map(str, names)).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big")).random  # noqa: S311  (made-up mail, not a secret)


def one_of(things: Sequence[Thing], chance: Chance) -> Thing:
    return things[int(chance() * len(things))]


def shuffled(things: Sequence[Thing], chance: Chance) -> list[Thing]:
    places = sorted((chance(), place) for place in range(len(things)))
    return [things[place] for _, place in places]


@dataclass(frozen=True)
class MailSender:
    """
    A domain that sends mail.

    :param networks: beginnings of its mail servers' addresses: a /24, or a /48 of IPv6.
    :param envelope: domain of its bounce addresses; the mailing service's own domain if the service collects bounces.
    :param spf: whether it publishes an SPF record.
    :param dkim: whether it signs its mail.
    :param dmarc: whether it publishes a DMARC policy.
    """

    domain: str
    networks: tuple[str, ...]
    envelope: str
    spf: bool = True
    dkim: bool = True
    dmarc: bool = True


class World:
    """All senders of a day. Days with the same seed differ only in their strangers, look-alikes and new networks."""

    def __init__(self, seed: int, day: date) -> None:
        self.seed = seed
        chance = chance_of(seed, "world")
        self.services = [(f"mailer{number}.example", _networks(chance, 3, region=1)) for number in range(12)]
        self.forwarders = [(f"alumni{number}.example", _networks(chance, 1, region=2)) for number in range(15)]
        names = shuffled([f"{first}{second}" for first in FIRST for second in SECOND], chance)
        self.senders = [self._sender(f"{name}.example", chance, rents=0.45) for name in names[:SENDERS]]
        self.without_policy = [sender for sender in self.senders if not sender.dmarc]
        self.bots = [f"100.{64 + int(chance() * 64)}.{int(chance() * 256)}." for _ in range(4000)]
        today = chance_of(seed, "day", day)
        strangers = [f"{one_of(FIRST, today)}{day:%m%d}{number:02d}" for number in range(60)]
        strangers += names[:2]  # a new honest sender may have a known sender's name under another top-level domain
        self.strangers = [self._sender(f"{name}.test", today, rents=0.75) for name in strangers]
        self.new_networks = _networks(today, 40, region=4)
        self.look_alikes = [self._look_alike(today) for _ in range(80)]

    def authentic(self, favourite: int, chance: Chance) -> Message:
        """
        Return the metadata of an honest message.

        :param favourite: index of the sender that writes most often to this organisation.
        """
        if chance() < 0.008:
            stranger = one_of(self.strangers, chance)
            return _message(stranger, one_of(stranger.networks, chance), chance)
        sender = self.senders[(favourite + int(SENDERS * chance() ** 3)) % SENDERS]
        network = one_of(sender.networks, chance)
        unusual = chance()
        if unusual < 0.965:
            return _message(sender, network, chance)
        if unusual < 0.980:
            return self._forwarded(sender, chance)
        if unusual < 0.985:  # it moved to another server, and its SPF record does not always list the new one
            spf = "pass" if chance() < 0.85 else "softfail"
            return _message(sender, one_of(self.new_networks, chance), chance, spf=spf)
        if unusual < 0.989:
            return _message(sender, network, chance, spf="temperror")
        if unusual < 0.992:  # a gateway on the way changed the body
            return _message(sender, network, chance, dkim="fail")
        return _message(sender, network, chance, spf="none", envelope=None)  # a bounce has no return address

    def small(self, number: int, chance: Chance) -> Message:
        """
        Return the metadata of the message of a small sender, who rents the servers of a mailing service.

        :param number: which one; the same on every day.
        """
        name = "".join(SYLLABLES[number // len(SYLLABLES) ** place % len(SYLLABLES)] for place in range(4))
        sender = self._sender(f"{name}.example", chance_of(self.seed, "small", number), rents=1)
        return _message(sender, one_of(sender.networks, chance), chance)

    def spoofed(self, chance: Chance) -> Message:
        """Return the metadata of a message with a forged sender."""
        victim = self.senders[int(SENDERS * chance() ** 2)]
        bot = one_of(self.bots, chance)
        kind = chance()
        if kind < 0.63:
            return _forged(victim, bot, chance)
        if kind < 0.79:
            return _forged(one_of(self.without_policy, chance), bot, chance)
        if kind < 0.89:
            look_alike = one_of(self.look_alikes, chance)
            return _message(look_alike, one_of(look_alike.networks, chance), chance)
        if kind < 0.96:  # sent through an account at a mailing service, which signs with its own domain
            service, networks = one_of(self.services, chance)
            network = one_of(networks, chance)
            return _message(victim, network, chance, spf="pass", envelope=service, dkim="pass", signer=service)
        if kind < 0.98:
            invented = f"security.{victim.domain}"
            return _message(MailSender(invented, (bot,), invented, False, False, victim.dmarc), bot, chance)
        network = one_of(victim.networks, chance)
        if kind < 0.99:  # the victim's SPF record allows every customer of the same mailing service
            return _message(victim, network, chance, dkim="none")
        return _message(victim, network, chance)  # a hijacked account

    def _sender(self, domain: str, chance: Chance, rents: float) -> MailSender:
        habit = chance()
        spf = habit < 0.95
        dkim = habit < 0.88 or 0.95 <= habit < 0.985
        dmarc = habit < 0.70 or 0.95 <= habit < 0.985
        if chance() >= rents:
            return MailSender(domain, _networks(chance, 1 + int(chance() * 2), region=3), domain, spf, dkim, dmarc)
        service, networks = one_of(self.services, chance)
        # A sender that does not sign collects its own bounces. Otherwise its mail would have no proof.
        return MailSender(
            domain, networks, service if dkim and chance() < 0.5 else f"bounces.{domain}", spf, dkim, dmarc
        )

    def _forwarded(self, sender: MailSender, chance: Chance) -> Message:
        forwarder, networks = one_of(self.forwarders, chance)
        network = one_of(networks, chance)
        dkim = "fail" if sender.dkim and chance() < 0.08 else None
        if chance() < 0.6:  # the forwarder uses its own return address (SRS)
            return _message(sender, network, chance, spf="pass", envelope=forwarder, dkim=dkim)
        spf = one_of(SPF_ELSEWHERE, chance) if sender.spf else "none"
        return _message(sender, network, chance, spf=spf, dkim=dkim)

    def _look_alike(self, chance: Chance) -> MailSender:
        victim = self.senders[int(40 * chance())].domain.removesuffix(".example")
        domain = _disguised(victim, chance)
        if chance() < 0.2:
            return MailSender(domain, one_of(self.services, chance)[1], domain)
        return MailSender(domain, (one_of(self.new_networks, chance),), domain)


def _networks(chance: Chance, count: int, region: int) -> tuple[str, ...]:
    """Return networks of mail servers, one in fifteen with IPv6. Networks of different regions never overlap."""
    return tuple(
        f"2001:db8:{region:x}{int(chance() * 4096):03x}:1::"
        if chance() < 1 / 15
        else f"10.{region * 32 + int(chance() * 32)}.{int(chance() * 256)}."
        for _ in range(count)
    )


def _disguised(name: str, chance: Chance) -> str:
    """Return a domain that a reader may mistake for ``<name>.example``."""
    way = chance()
    at = 1 + int(chance() * (len(name) - 2))
    if way < 0.30:
        honest, alike = next(pair for pair in shuffled(HOMOGLYPHS, chance) if pair[0] in name)
        return f"{name.replace(honest, alike, 1)}.example"
    if way < 0.45:
        return f"{name}.{'test' if way < 0.37 else 'invalid'}"
    if way < 0.55:
        return f"{name[:at]}{name[at]}{name[at:]}.example"
    if way < 0.63 and name[at] != name[at + 1]:
        return f"{name[:at]}{name[at + 1]}{name[at]}{name[at + 2 :]}.example"
    if way < 0.70:
        return f"{name[:at]}{name[at + 1 :]}.example"
    if way < 0.73:
        return f"xn--{name[:at]}{name[at + 1 :]}-{int(chance() * 1000)}a.example"
    return f"{name}-{one_of(AFFIXES, chance)}.example"


def _forged(victim: MailSender, bot: str, chance: Chance) -> Message:
    dkim = "fail" if chance() < 0.2 else "none"
    if chance() < 0.3:  # a throw-away domain can pass the check of its own SPF record
        thrown_away = f"{one_of(FIRST, chance)}{int(chance() * 900)}.invalid"
        spf = "pass" if chance() < 0.5 else "none"
        return _message(victim, bot, chance, spf=spf, envelope=thrown_away, dkim=dkim)
    spf = one_of(SPF_ELSEWHERE, chance) if victim.spf else "none"
    return _message(victim, bot, chance, spf=spf, envelope=victim.domain, dkim=dkim)


_AS_USUAL = "as usual"


def _message(
    sender: MailSender,
    network: str,
    chance: Chance,
    spf: str | None = None,
    envelope: str | None = _AS_USUAL,
    dkim: str | None = None,
    signer: str | None = None,
) -> Message:
    """Return a message as a gateway records it. Arguments that are not given have the sender's usual values."""
    domain = sender.domain
    if envelope is _AS_USUAL:
        envelope = sender.envelope
    aligned = envelope is not None and envelope.endswith(domain)
    spf = spf or ("pass" if sender.spf or not aligned else "none")
    dkim = dkim or ("pass" if sender.dkim else "none")
    signer = signer or (domain if dkim != "none" else None)
    proved = (spf == "pass" and aligned) or (dkim == "pass" and signer == domain)
    mailbox, look, size = one_of(MAILBOXES, chance), chance(), chance()
    address = f"{mailbox}@{domain}"
    return {
        "header_from": address if look < 0.3 else f'"{domain.partition(".")[0].title()}" <{address}>',
        "envelope_from": None if envelope is None else f"{mailbox}@{envelope}",
        "sending_ip": f"{network}{1 + int(chance() * 254)}",
        "helo": None if look > 0.98 else f"mx{int(look * 8)}.{envelope or domain}",
        "spf_result": spf,
        "dkim_result": dkim,
        "dkim_domain": signer,
        "dmarc_result": "none" if not sender.dmarc else "pass" if proved else "fail",
        "size_bytes": 1500 + int(60_000 * size * size * size * size),
        "recipients": 1 if look < 0.9 else 2,
        "tls_version": "TLSv1.2" if look < 0.8 else "TLSv1" if look < 0.93 else None,
    }
