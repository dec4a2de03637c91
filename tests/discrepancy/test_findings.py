from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_agari_provider.discrepancy.comparisons import Comparison, Tolerance, default_comparisons
from airflow_agari_provider.discrepancy.findings import Limits, find_discrepancies, identities, judge
from airflow_agari_provider.discrepancy.table import DiscrepancyTable


def findings(counts, tolerance=Tolerance(), tolerances=None, comparisons=None):  # noqa: B008
    table = DiscrepancyTable(counts, comparisons or default_comparisons(list(counts)))
    return find_discrepancies(table, tolerance, tolerances or {})


@pytest.mark.parametrize(
    ("agg", "db", "found"),
    [
        ({"5": 0}, {"5": 0}, []),
        ({}, {}, []),
        ({"5": 10}, {"5": 10}, []),
        ({}, {"5": 3}, ["5: gained 3 between Agg and DB (new), missing in Agg; allowed 0 and 0.0 %"]),
        ({"5": 3}, {}, ["5: lost 3 between Agg and DB (100.0 %), missing in DB; allowed 0 and 0.0 %"]),
        (
            {"5": 3},
            {"6": 3},
            [
                "5: lost 3 between Agg and DB (100.0 %), missing in DB; allowed 0 and 0.0 %",
                "6: gained 3 between Agg and DB (new), missing in Agg; allowed 0 and 0.0 %",
            ],
        ),
        ({"5": 266}, {"5": 340}, ["5: gained 74 between Agg and DB (27.8 %); allowed 0 and 0.0 %"]),
        ({"5": 108_084}, {"5": 108_080}, ["5: lost 4 between Agg and DB (0.004 %); allowed 0 and 0.0 %"]),
    ],
    ids=["0 and 0", "nothing", "equal", "new", "gone", "equal sums", "duplicates", "tiny"],
)
def test_edges(agg, db, found):
    assert [str(finding) for finding in findings({"Agg": agg, "DB": db})] == found


@pytest.mark.parametrize(
    ("db", "is_found"),
    [(1000, False), (990, False), (995, False), (989, True), (1010, False), (1011, True), (0, True)],
)
def test_a_difference_is_found_only_beyond_both_limits(db, is_found):
    tolerance = Tolerance(count=10, percent=0.5)
    assert bool(findings({"Agg": {"5": 1000}, "DB": {"5": db}}, tolerance)) is is_found


@pytest.mark.parametrize(
    ("percent", "lost", "is_found"),
    [(0.1, 1, False), (0.1, 2, True), (0.3, 3, False), (0.7, 7, False), (100.0, 1000, False)],
)
def test_exactly_the_allowed_percentage_is_allowed(percent, lost, is_found):
    assert bool(findings({"Agg": {"5": 1000}, "DB": {"5": 1000 - lost}}, Tolerance(percent=percent))) is is_found


def test_a_key_below_the_minimum_volume_is_not_judged_but_one_that_lost_its_volume_is():
    tolerance = Tolerance(min_volume=100)
    found = findings({"Agg": {"small": 99, "large": 100}, "DB": {}}, tolerance)
    assert [finding.key for finding in found] == ["large"]


def test_a_new_key_is_judged_by_the_absolute_limit_alone():
    found = findings({"Agg": {}, "DB": {"5": 10, "6": 11}}, Tolerance(count=10, percent=100.0))
    assert [finding.key for finding in found] == ["6"]


def test_a_key_of_its_own_tolerance_is_judged_by_that():
    counts = {"Agg": {"5": 100, "6": 100, "7": 100}, "DB": {"5": 90, "6": 90, "7": 99}}
    found = findings(counts, Tolerance(count=5), {"5": Tolerance(count=10), "7": Tolerance()})
    assert [str(finding) for finding in found] == [
        "6: lost 10 between Agg and DB (10.0 %); allowed 5 and 0.0 %",
        "7: lost 1 between Agg and DB (1.0 %); allowed 0 and 0.0 %",
    ]


def test_a_comparison_over_several_stages_names_the_first_that_lost():
    found = findings(
        {"Sent": {"5": 9000}, "Queued": {"5": 9000}, "Scored": {"5": 7796}, "Stored": {"5": 7790}},
        comparisons=[Comparison("Lost", "Sent", "Stored")],
    )
    assert [str(finding) for finding in found] == [
        "5: lost 1,210 between Sent and Stored (13.4 %), first 1,204 between Queued and Scored; allowed 0 and 0.0 %"
    ]


def test_a_step_that_gained_is_not_the_first_that_lost():
    found = findings(
        {"Sent": {"5": 9}, "Queued": {"5": 12}, "Scored": {"5": 8}, "Stored": {"5": 7}},
        comparisons=[Comparison("Lost", "Sent", "Stored")],
    )
    assert [finding.first_step for finding in found] == [("Queued", "Scored")]


def test_a_comparison_s_own_tolerance_replaces_the_check_s():
    comparisons = [Comparison("Loss", "A", "B"), Comparison("Small loss", "B", "C", tolerance=Tolerance(count=5))]
    counts = {"A": {"5": 100, "6": 100}, "B": {"5": 95, "6": 100}, "C": {"5": 90, "6": 94}}
    assert [(finding.key, finding.comparison) for finding in findings(counts, comparisons=comparisons)] == [
        ("6", "Small loss"),
        ("5", "Loss"),
    ]


def test_the_largest_difference_comes_first_whether_lost_or_gained():
    found = findings({"Agg": {"1": 10, "2": 10, "3": 10}, "DB": {"1": 9, "2": 30, "3": 5}})
    assert [finding.key for finding in found] == ["2", "3", "1"]


@pytest.mark.parametrize(
    ("collector", "agg", "db", "found"),
    [
        (340, 266, 266, []),
        (340, 1, 1, []),
        (340, 0, 0, ["Skipped"]),
        (340, 680, 680, ["Skipped"]),
        (0, 5, 5, ["Skipped"]),
        (340, 266, 265, ["Discrepancy"]),
    ],
    ids=["some skipped", "most skipped", "all gone", "scored twice", "from nowhere", "not loaded"],
)
def test_messages_may_be_skipped_on_purpose_but_not_all_of_a_key_and_none_be_added(collector, agg, db, found):
    counts = {"Collector": {"5": collector}, "Agg": {"5": agg}, "DB": {"5": db}, "NRT DB": {}}
    assert [finding.comparison for finding in findings(counts)] == found


KEYS = [str(number) for number in range(8)]
COUNTS = st.dictionaries(st.sampled_from(KEYS), st.integers(1, 10**9), min_size=1)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(counts=COUNTS, data=st.data(), names=st.sampled_from([("Collector", "Agg", "DB"), ("A", "B"), ("A", "B", "C")]))
def test_any_groups_that_any_stages_lack_are_found_and_nothing_else_is(counts, data, names):
    removed = {name: data.draw(st.sets(st.sampled_from(sorted(counts))), label=name) for name in names}
    stages = {name: {key: counts[key] for key in counts if key not in removed[name]} for name in names}
    lacking = {key: {name for name in names if key in removed[name]} for key in counts}
    expected = {key: lacks for key, lacks in lacking.items() if lacks and lacks != set(names)}
    assert {finding.key: set(finding.missing_in) for finding in findings(stages)} == expected


def skipping(collector, agg, db, skips, **more):
    counts = {"Collector": collector, "Agg": agg, "DB": db}
    table = DiscrepancyTable(counts, default_comparisons(list(counts)), skips=skips, **more)
    return [str(finding).partition("; ")[0] for finding in find_discrepancies(table, Tolerance(), {})], table


@pytest.mark.parametrize(
    ("collector", "agg", "skips", "found"),
    [
        (315, 111, {"duplicate": 144, "no sender": 60}, []),
        (3, 0, {"duplicate": 1, "no sender": 2}, []),
        (3, 3, {}, []),
        (
            318,
            111,
            {"no sender": 60, "outside": 0, "duplicate": 144},
            ["12: lost 3 between Collector and Agg (0.9 %), besides 204 skipped (duplicate 144, no sender 60)"],
        ),
        (
            315,
            114,
            {"duplicate": 204},
            ["12: gained 3 between Collector and Agg (1.0 %), besides 204 skipped (duplicate 204)"],
        ),
        (340, 266, {}, ["12: lost 74 between Collector and Agg (21.8 %), besides 0 skipped"]),
        (
            3,
            0,
            {"duplicate": 2},
            [
                "12: lost 1 between Collector and Agg (33.3 %), besides 2 skipped (duplicate 2), missing in Agg, DB",
            ],
        ),
        (
            0,
            0,
            {"duplicate": 3},
            ["12: gained 3 between Collector and Agg (new), besides 3 skipped (duplicate 3), missing in Collector"],
        ),
    ],
    ids=[
        "all accounted for",
        "all rightly skipped",
        "none skipped",
        "lost",
        "gained",
        "not counted as skipped",
        "the rest lost",
        "skipped, but never collected",
    ],
)
def test_counted_skips_must_account_for_every_message(collector, agg, skips, found):
    by_reason = {reason: {"12": count} for reason, count in skips.items()}
    assert skipping({"12": collector}, {"12": agg}, {"12": agg}, by_reason)[0] == found


def test_a_key_whose_messages_are_all_rightly_skipped_has_an_empty_note():
    _, table = skipping({"12": 3, "5": 7}, {"5": 7}, {"5": 7}, {"duplicate": {"12": 3}})
    assert table.row("12") == ["12", 3, 0, 0, 0, 0.0, 3, ""]


def test_a_later_stage_s_messages_that_nobody_scored_are_found_although_all_were_skipped():
    found, _ = skipping({"12": 3}, {}, {"12": 5}, {"duplicate": {"12": 3}})
    assert found == ["12: gained 5 between Agg and DB (166.7 %)"]


def test_a_key_that_only_the_skips_have_has_a_row():
    _, table = skipping({"5": 1}, {"5": 1}, {"5": 1}, {"duplicate": {"7": 2}})
    assert table.keys == ["5", "7"]


def test_the_tolerance_is_of_what_the_skips_do_not_account_for():
    counts = {"Collector": {"5": 100}, "Agg": {"5": 40}, "DB": {"5": 40}}
    table = DiscrepancyTable(counts, default_comparisons(list(counts)), skips={"duplicate": {"5": 55}})
    assert [finding.difference for finding in find_discrepancies(table, Tolerance(count=4), {})] == [5]
    assert find_discrepancies(table, Tolerance(count=5), {}) == []


def test_of_very_many_reasons_the_most_frequent_are_named():
    found, _ = skipping({"5": 100}, {}, {}, {f"reason {number}": {"5": number} for number in range(1, 13)})
    assert "besides 78 skipped (reason 12 12, reason 11 11," in found[0]
    assert "reason 3 3, ...)" in found[0]


COLUMNS = ["Org_ID", "Collector Msgs", "Agg Msgs", "DB Msgs", "Discrepancy", "Discr %", "Skipped", "Notes"]


def hidden(collector, read, agg, skips):
    counts = {"Collector": {"5": collector}, "Read": {"5": read}, "Agg": {"5": agg}, "DB": {"5": agg}}
    comparisons = default_comparisons(list(counts), {"Read"})
    table = DiscrepancyTable(counts, comparisons, skips={"duplicate": {"5": skips}}, hidden={"Read"})
    return [str(finding).partition("; ")[0] for finding in find_discrepancies(table, Tolerance(), {})], table


def test_a_hidden_stage_is_judged_and_named_but_has_no_column():
    found, table = hidden(315, 312, 110, 202)
    assert [finding.partition(", ")[0] for finding in found] == [
        "5: lost 3 between Collector and Agg (1.0 %)",
        "5: lost 3 between Collector and Read (1.0 %)",
    ]
    assert found[0].endswith("besides 202 skipped (duplicate 202), first 3 between Collector and Read")
    assert table.columns == COLUMNS
    assert table.row("5") == ["5", 315, 110, 110, 0, 0.0, 205, ""]


def test_a_loss_after_the_hidden_stage_is_named_there():
    assert hidden(315, 315, 110, 202)[0] == [
        "5: lost 3 between Collector and Agg (1.0 %), besides 202 skipped (duplicate 202), first 3 between Read and Agg"
    ]


def test_a_job_that_contradicts_itself_is_found():
    assert hidden(10, 9, 8, 2)[0] == ["5: lost 1 between Collector and Read (10.0 %)"]


def many(keys, base, other, *, tolerance=Tolerance(), comparisons=None, **limits):  # noqa: B008
    counts = {"Agg": dict.fromkeys(keys, base), "DB": {key: other for key in keys if other}}
    table = DiscrepancyTable(counts, comparisons or default_comparisons(list(counts)))
    return [str(finding) for finding in judge(table, Limits(tolerance, **limits)).findings]


@pytest.mark.parametrize(
    ("base", "other", "tolerance", "found"),
    [
        (2, 1, Tolerance(count=1), "lost 1,000 between Agg and DB (50.0 %); together no more than the 1 of one key"),
        (1, 2, Tolerance(count=1), "gained 1,000 between Agg and DB (100.0 %); together no more than the 1 of one key"),
        (2, 0, Tolerance(min_volume=3), "lost 2,000 between Agg and DB (100.0 %); together no more than the 2 of one"),
        (2, 1, Tolerance(percent=50), "lost 1,000 between Agg and DB (50.0 %); together no more than the 1 of one key"),
    ],
    ids=["each within the count", "each doubled", "each below the volume", "each within the percentage"],
)
def test_a_loss_of_all_keys_is_found_although_each_is_within_its_limit(base, other, tolerance, found):
    keys = [str(number) for number in range(1000)]
    (text,) = many(keys, base, other, tolerance=tolerance)
    assert text.startswith(f"1,000 keys together: {found}")
    (of_own,) = many(keys, base, other, tolerances=dict.fromkeys(keys, tolerance))
    assert of_own == text


@pytest.mark.parametrize(("stored", "found"), [(51, 0), (50, 1), (0, 1), (149, 0), (150, 1)])
def test_tolerances_of_their_own_do_not_allow_half_of_everything(stored, found):
    tolerances = {f"k{n}": Tolerance(count=100 + n) for n in range(20)}
    counts = {"Agg": dict.fromkeys(tolerances, 100), "DB": dict.fromkeys(tolerances, stored)}
    assert len(findings(counts, tolerances=tolerances)) == found
    one = {"Agg": {"k0": 100}, "DB": {"k0": stored}}
    assert findings(one, tolerances=tolerances) == []


def test_a_loss_and_a_gain_within_the_limits_do_not_cancel_out():
    counts = {"Agg": dict.fromkeys("abcd", 10), "DB": {"a": 9, "b": 9, "c": 11, "d": 11}}
    table = DiscrepancyTable(counts, default_comparisons(list(counts)))
    assert [(each.keys, each.difference) for each in judge(table, Limits(Tolerance(count=1))).findings] == [
        (2, 2),
        (2, -2),
    ]


@pytest.mark.parametrize(("total", "is_found"), [(Tolerance(), True), (Tolerance(percent=50), False)], ids=str)
def test_the_total_may_have_a_tolerance_of_its_own(total, is_found):
    assert bool(many(["1", "2"], 2, 1, tolerance=Tolerance(count=5), total_tolerance=total)) is is_found


def test_what_one_key_may_differ_by_is_no_loss_of_all_keys():
    assert many(["1"], 1000, 995, tolerance=Tolerance(percent=0.5)) == []
    assert many(["1"], 1000, 990, tolerances={"1": Tolerance(count=10)}) == []


@pytest.mark.parametrize(
    ("collector", "agg", "found"),
    [
        ({"12": 315}, {"12": 111}, []),
        ({"5": 999}, {"5": 1}, []),
        ({"5": 1000}, {"5": 500}, []),
        ({"5": 1000}, {"5": 499}, ["5: lost 501 between Collector and Agg (50.1 %); at most 50 % may be skipped"]),
        ({"5": 43115}, {"5": 1}, ["5: lost 43,114 between Collector and Agg (100.0 %); at most 50 % may be skipped"]),
        (
            {str(number): 10 for number in range(100)},
            {str(number): 4 for number in range(100)},
            ["100 keys together: lost 600 between Collector and Agg (60.0 %); at most 50 % may be skipped"],
        ),
        (
            {"big": 9000, **{str(number): 10 for number in range(100)}},
            {"big": 1, **{str(number): 10 for number in range(100)}},
            ["big: lost 8,999 between Collector and Agg (100.0 %); at most 50 % may be skipped"],
        ),
    ],
    ids=["organisation 12", "few messages", "half", "more than half", "nearly all", "all keys together", "told once"],
)
def test_without_counted_skips_at_most_half_may_be_skipped(collector, agg, found):
    table = DiscrepancyTable({"Collector": collector, "Agg": agg, "DB": agg}, default_comparisons(PUBLISHED_STAGES))
    assert [str(finding) for finding in judge(table, Limits()).findings] == found


PUBLISHED_STAGES = ("Collector", "Agg", "DB")


@pytest.mark.parametrize(("most", "own", "is_found"), [(99.9, None, False), (10, None, True), (50, 5_000, False)])
def test_the_ceiling_of_skips_can_be_moved(most, own, is_found):
    comparisons = [Comparison("Skipped", "Agg", "DB", judge="gain", most_skipped=most)]
    tolerances = {"5": Tolerance(count=own)} if own else {}
    assert bool(many(["5"], 5000, 100, comparisons=comparisons, tolerances=tolerances)) is is_found


def test_the_total_allows_a_gain_within_the_tolerance_where_messages_may_be_skipped():
    comparisons = [Comparison("Skipped", "Agg", "DB", judge="gain")]
    assert many(["1"], 10, 11, tolerance=Tolerance(count=1), comparisons=comparisons) == []
    (found,) = many(["1", "2"], 10, 11, tolerance=Tolerance(count=1), comparisons=comparisons)
    assert found.startswith("2 keys together: gained 2")


@pytest.mark.parametrize(
    ("counts", "is_found"),
    [
        ({"Agg": {}, "DB": {}}, True),
        ({"Agg": {"5": 0}, "DB": {}}, True),
        ({"Collector": {}, "Agg": {}, "DB": {}, "NRT DB": {"5": 698}}, True),
        ({"Agg": {"5": 1}, "DB": {"5": 1}}, False),
    ],
    ids=["no rows", "zeros", "only what is not judged", "a message"],
)
def test_nothing_at_all_is_found(counts, is_found):
    table = DiscrepancyTable(counts, default_comparisons(list(counts)))
    found = judge(table, Limits(on_empty="fail")).findings
    assert [finding.scope for finding in found] == (["empty"] if is_found else [])
    assert judge(table, Limits(on_empty="ok")).alarms == 0


def test_of_very_many_findings_the_largest_are_kept_and_all_are_counted():
    agg = {str(number): 1000 + number for number in range(1500)}
    table = DiscrepancyTable({"Agg": agg, "DB": {}}, default_comparisons(["Agg", "DB"]))
    found = judge(table, Limits())
    assert (found.alarms, found.discrepant, len(found.findings)) == (1500, 1500, 1000)
    assert [finding.key for finding in found.findings[::999]] == ["1499", "500"]


def of(agg, db, distinct=None, **more):
    return DiscrepancyTable({"Agg": agg, "DB": db}, default_comparisons(["Agg", "DB"]), distinct=distinct or {}, **more)


def test_a_loss_and_duplicates_that_cancel_out_are_told_apart():
    table = of({"5": 100, "6": 10, "7": 20}, {"5": 100, "6": 10, "7": 19}, {"DB": {"5": 90, "6": 10, "7": 16}})
    assert [str(finding).partition(" (")[0] for finding in judge(table, Limits()).findings] == [
        "5: lost 10 between Agg and DB",
        "5: gained 10 between Agg and DB",
        "7: lost 4 between Agg and DB",
        "7: gained 3 between Agg and DB",
    ]
    assert judge(table, Limits(Tolerance(count=14))).findings == []


def test_duplicates_that_were_there_before_are_nobody_s_fault():
    assert judge(of({"5": 100}, {"5": 100}, {"Agg": {"5": 90}, "DB": {"5": 90}}), Limits()).findings == []


def test_only_what_differs_in_both_readings_is_a_discrepancy():
    first = judge(of({"5": 10, "6": 10, "7": 10}, {"5": 9, "6": 9, "7": 11}), Limits())
    second = of({"5": 10, "6": 10, "7": 10, "8": 10}, {"5": 8, "6": 10, "7": 9, "8": 9})
    found = judge(second, Limits(), identities(first.findings))
    assert [(finding.key, finding.difference) for finding in found.findings] == [("5", 2)]
    assert (found.alarms, found.discrepant) == (1, 1)
    assert found.remarks == ["Only the second reading differs for 7, 8: not judged, as it was not so at first."]


def test_without_a_first_reading_or_with_too_much_in_it_all_is_judged():
    lossy = of(dict.fromkeys(map(str, range(1500)), 2), {})
    assert identities(judge(lossy, Limits()).findings) is None
    assert judge(lossy, Limits(), None).alarms == 1500


def test_what_all_keys_lost_together_must_persist_as_well():
    lossy = of(dict.fromkeys("abc", 2), dict.fromkeys("abc", 1))
    limits = Limits(Tolerance(count=1))
    first = judge(lossy, limits)
    assert judge(lossy, limits, identities(first.findings)).alarms == 1
    (remark,) = judge(lossy, limits, []).remarks
    assert remark.startswith("Only the second reading differs for 3 keys together: lost 3 between Agg and DB (50.0 %)")


def test_several_keys_that_lost_everything_are_found_however_small_they_are():
    assert many(["1"], 2, 0, tolerance=Tolerance(min_volume=100)) == []
    (found,) = many(["1", "2", "3"], 2, 0, tolerance=Tolerance(min_volume=100))
    assert found.startswith("3 keys together: lost 6 between Agg and DB (100.0 %)")
    assert many(["1", "2", "3"], 2, 1, tolerance=Tolerance(min_volume=100)) == []
