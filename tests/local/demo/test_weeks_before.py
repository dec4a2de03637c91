"""The demo's history: an undisturbed day is usual by it, and what --break does is not."""

from __future__ import annotations

from datetime import UTC, datetime, time

from airflow_agari_provider.discrepancy.check_history import CheckHistory
from airflow_agari_provider.discrepancy.comparisons import default_comparisons
from airflow_agari_provider.discrepancy.distribution import Distribution
from airflow_agari_provider.discrepancy.expected_volume import Expected
from airflow_agari_provider.discrepancy.table import DiscrepancyTable
from airflow_agari_provider.discrepancy.unusual import EarlierRuns, unusual_shares, unusual_volumes
from airflow_agari_provider.local.demo.breakage import BREAKAGES
from airflow_agari_provider.local.demo.published_day import DAY, PUBLISHED_DAY
from airflow_agari_provider.local.demo.runs import DAG_ID, REPORT
from airflow_agari_provider.local.demo.target_database import open_target_database
from airflow_agari_provider.local.demo.weeks_before import SERIES, VERDICTS, write_weeks_before

MIDNIGHT = datetime.combine(DAY, time(), UTC)


def test_the_day_is_usual_unless_it_is_broken(tmp_path):
    with open_target_database(None, tmp_path) as database:
        write_weeks_before(database, PUBLISHED_DAY)
        history = CheckHistory(database.connect, "?", DAG_ID, REPORT, series=SERIES)
        runs = history.past_runs(MIDNIGHT, [], with_keys=True, with_shares=True)
    past = EarlierRuns(runs, MIDNIGHT)

    def unusual(sent):
        counts = {str(each.org_id): each.collector for each in sent}
        table = DiscrepancyTable({"Collector": counts, "DB": counts}, default_comparisons(["Collector", "DB"]))
        findings, remarks = unusual_volumes(table, [Expected("Collector", keys=10)], past)
        assert remarks == []
        return [finding.key for finding in findings]

    assert unusual(PUBLISHED_DAY) == []
    assert unusual(BREAKAGES["skewed"].sent(PUBLISHED_DAY)) == []
    assert unusual(BREAKAGES["half-the-volume"].sent(PUBLISHED_DAY)) == ["", "56", "54"]
    scored = {verdict: round(1000 * share) for verdict, share in VERDICTS.items()}
    for counts, told in ((scored, 0), ({"trusted": 550, "suspicious": 70, "untrusted": 380}, 1)):
        findings, remarks = unusual_shares({"verdict": (Distribution("verdict", counts={}), counts)}, past)
        assert (len(findings), remarks) == (told, [])
