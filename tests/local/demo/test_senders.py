from __future__ import annotations

from airflow_agari_provider.local.demo.published_day import DAY
from airflow_agari_provider.local.demo.senders import SMALL_SENDERS, World, chance_of


def test_random_numbers_depend_only_on_the_names_they_are_for():
    first, again, other = chance_of(2016, "world"), chance_of(2016, "world"), chance_of(2016, "other")
    numbers = [first() for _ in range(3)]
    assert numbers == [again() for _ in range(3)]
    assert numbers != [other() for _ in range(3)]


def test_days_of_one_seed_share_their_known_senders_but_not_their_strangers():
    one, next_day = World(2016, DAY), World(2016, DAY.replace(day=29))
    assert one.senders == next_day.senders
    assert one.strangers != next_day.strangers


def test_every_name_and_address_is_reserved():
    world, chance = World(2016, DAY), chance_of("test")
    honest = [world.authentic(0, chance) for _ in range(500)] + [world.small(number, chance) for number in range(500)]
    for message in honest + [world.spoofed(chance) for _ in range(500)]:
        domain = message["header_from"].rstrip(">").rpartition("@")[2]
        assert domain.rpartition(".")[2] in {"example", "test", "invalid"}
        assert message["sending_ip"].startswith(("10.", "100.", "2001:db8:"))


def test_small_senders_are_the_same_on_every_day_and_each_has_a_name_of_its_own():
    one, next_day = World(2016, DAY), World(2016, DAY.replace(day=29))
    assert one.small(7, chance_of("x")) == next_day.small(7, chance_of("x"))
    names = {one.small(number, chance_of("x"))["header_from"].rpartition("@")[2] for number in range(SMALL_SENDERS)}
    assert len(names) == SMALL_SENDERS
    assert not names & {sender.domain for sender in one.senders}
