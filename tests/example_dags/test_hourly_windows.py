"""
The hourly windows of the made-up day, judged as the example DAG judges them: no false alarm, and no loss is missed.

The reasons to skip a message are told from the data's own rules, without Spark. The tests of the Spark job check that
it finds the same ones.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from airflow_agari_provider.discrepancy.comparisons import Tolerance, default_comparisons
from airflow_agari_provider.discrepancy.findings import find_discrepancies
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.local.demo.messages import day_of_messages
from airflow_agari_provider.local.demo.published_day import DAY

STAGES = ("Collector", "Read", "Agg", "DB")
REASONS = ("outside the window", "no sender", "unparsable address", "duplicate")


def reason(message, hour, seen):
    at = datetime.fromtimestamp(message["received_at"] / 1000, UTC)
    if not hour <= at < hour + timedelta(hours=1):
        return "outside the window"
    if (message["header_from"] or "").strip() in ("", "<>"):
        return "no sender"
    if not re.search(r"[\w-]@([\w-]+\.)+[a-z]", message["header_from"]) or not is_address(message["sending_ip"]):
        return "unparsable address"
    return "duplicate" if message["message_id"] in seen else "scored"


def is_address(text):
    try:
        ipaddress.ip_address(text or "")
    except ValueError:
        return False
    return True


@pytest.fixture(scope="module")
def hours():
    """For each hour: (stage -> key -> count, reason -> key -> count) of a run without a loss."""
    found = {}
    for upload in day_of_messages(DAY):
        outcomes: Counter[str] = Counter()
        seen: set[str] = set()
        for message in upload.messages:
            outcome = reason(message, upload.hour, seen)
            outcomes[outcome] += 1
            if outcome == "scored":
                seen.add(message["message_id"])
        counts, skips = found.setdefault(upload.hour, ({stage: {} for stage in STAGES}, {each: {} for each in REASONS}))
        key, read, scored = str(upload.org_id), len(upload.messages), outcomes["scored"]
        for stage, count in zip(STAGES, (read, read, scored, scored), strict=True):
            counts[stage][key] = count
        for each in REASONS:
            skips[each][key] = outcomes[each]
    return found


def findings(counts, skips):
    comparisons = default_comparisons(STAGES, {"Read"})
    return find_discrepancies(DiscrepancyTable(counts, comparisons, skips=skips, hidden={"Read"}), Tolerance(), {})


def test_the_hours_add_up_to_the_published_day(hours):
    totals = {stage: sum(sum(counts[stage].values()) for counts, _ in hours.values()) for stage in STAGES}
    assert totals == {"Collector": 273_647, "Read": 273_647, "Agg": 261_254, "DB": 261_254}
    assert sum(sum(by_key.values()) for _, skips in hours.values() for by_key in skips.values()) == 12_393


def test_no_hour_without_a_loss_alarms(hours):
    assert len(hours) == 24
    assert {f"{hour:%H}": findings(*of_hour) for hour, of_hour in hours.items() if findings(*of_hour)} == {}


def test_organisations_whose_few_messages_were_all_skipped_alarm_only_if_the_skips_are_not_counted(hours):
    alarmed = [hour for hour, (counts, _) in hours.items() if findings(counts, None)]
    assert len(alarmed) >= 4


@pytest.mark.parametrize("change", [-1, 1], ids=["lost", "doubled"])
def test_a_single_message_lost_or_doubled_in_any_stage_or_reason_is_found(hours, change):
    missed = []
    for hour, (counts, skips) in hours.items():
        for kind, places in (("stage", counts), ("reason", skips)):
            for place, by_key in places.items():
                for key, count in by_key.items():
                    if count + change < 0:
                        continue
                    changed = {**places, place: {**by_key, key: count + change}}
                    found = findings(changed, skips) if kind == "stage" else findings(counts, changed)
                    if {finding.key for finding in found} != {key}:
                        missed.append((hour, place, key))
    assert missed == []
