from __future__ import annotations

import pytest

from airflow_agari_provider.local.demo.published_day import PUBLISHED_DAY, Organisation, scaled, shared_out


def test_published_totals_are_those_of_the_table():
    assert sum(each.collector for each in PUBLISHED_DAY) == 273_647
    assert sum(each.scored for each in PUBLISHED_DAY) == 261_254
    assert {each.org_id: each.nrt for each in PUBLISHED_DAY if each.nrt} == {1: 340, 5: 358}


@pytest.mark.parametrize("messages", [10, 11, 57, 1_000, 20_000, 1_000_003])
def test_a_scaled_day_keeps_the_shape(messages):
    day = scaled(PUBLISHED_DAY, messages)
    assert sum(each.collector for each in day) == messages
    assert [each.org_id for each in day] == [1, 5, 6, 7, 12, 14, 16, 25, 54, 56]
    for each, published in zip(day, PUBLISHED_DAY, strict=True):
        assert 0 <= each.skipped < each.collector
        assert (each.skipped > 0) == (published.skipped > 0 and each.collector > 1)
        assert each.nrt == each.collector if published.nrt == published.collector else each.nrt <= each.collector


def test_scaling_to_the_published_size_changes_nothing():
    assert scaled(PUBLISHED_DAY, 273_647) == PUBLISHED_DAY
    assert scaled(PUBLISHED_DAY, 27_365)[5] == Organisation(14, collector=3565, skipped=692, nrt=0)


def test_too_few_messages_to_share_out_are_refused():
    with pytest.raises(ValueError, match=r"9 message\(s\) cannot be shared among 10 organisations"):
        scaled(PUBLISHED_DAY, 9)


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [(10, [1, 1, 1], [4, 3, 3]), (5, [0, 1], [0, 5]), (0, [3, 4], [0, 0]), (3, [1, 98, 1], [0, 3, 0])],
)
def test_shares_add_up(total, weights, shares):
    assert shared_out(total, weights) == shares
