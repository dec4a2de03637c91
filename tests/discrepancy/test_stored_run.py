from __future__ import annotations

import pytest

from airflow_agari_provider.discrepancy.stored_run import StoredRun, check_id, read_counts, stored_key


@pytest.mark.parametrize(
    ("key", "stored"),
    [
        ("", ""),
        ("5", "5"),
        ("żółw 🐢\n\t", "żółw 🐢\n\t"),
        ("a\0b\udc80", "a\\x00b\\udc80"),
        ("x" * 250, "x" * 250),
        ("🐢" * 250, "🐢" * 250),
    ],
    ids=lambda text: repr(text[:9]),
)
def test_keys_are_stored_so_that_every_database_takes_them(key, stored):
    assert stored_key(key) == stored
    assert stored_key(stored) == stored


@pytest.mark.parametrize("end", ["x", "🐢", "\0", "\udc80"], ids=ascii)
def test_two_long_keys_stay_two_keys(end):
    long, other = stored_key("x" * 20_000 + end), stored_key("x" * 20_001 + end)
    assert len(long) == len(other) == 250
    assert long != other
    assert long.startswith("x" * 233 + "…")
    assert stored_key(long) == long


def test_the_id_of_a_check_has_one_length_and_knows_upper_from_lower_case():
    ids = {check_id("d", "t"), check_id("D", "t"), check_id("d", "t" * 9999), check_id("d", "t [3]"), check_id("ü", "")}
    assert {len(one) for one in ids} == {64}
    assert len(ids) == 5
    assert check_id("d", "t") == "65161be02a60a1a18936e261450d97f567b69053eeca695bc8b3ac0bd8c65a52"


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ('{"Agg": 9, "żółw": 0}', {"Agg": 9, "żółw": 0}),
        ("{}", {}),
        ('{"Agg": 9, "DB": "7", "NRT": null, "S3": 1.5}', {"Agg": 9}),
        *((text, None) for text in ("", "{", '{"DB": 1', '{"DB": 1… (cut)', "[1]", '"x"', "12", "null", "NaN")),
    ],
)
def test_counts_are_read_or_not_known_and_never_made_up(text, counts):
    assert read_counts(text) == counts


def test_of_a_run_that_found_nothing_nothing_is_stored():
    run = StoredRun("2016-02-03", "r", "w", "ok", 1.0)
    assert (run.differences, run.tellings, run.totals, run.shares, run.series) == ((), {}, {}, {}, "")
