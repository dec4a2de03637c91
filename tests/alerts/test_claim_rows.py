from __future__ import annotations

from dataclasses import asdict, fields

from airflow_agari_provider.alerts.claim_rows import CLAIMS, UNKNOWN, About


def test_what_an_alert_is_about_has_a_column_each():
    assert {field.name for field in fields(About)} < set(CLAIMS.kinds)


def test_columns_hold_texts_or_times():
    kinds = {field.name: "double" if "float" in str(field.type) else "text" for field in fields(About)}
    assert {name: CLAIMS.kinds[name] for name in kinds} == kinds


def test_indexes_are_of_columns_and_the_key_needs_none():
    indexed = {name for columns in CLAIMS.indexes for name in columns}
    assert indexed < set(CLAIMS.kinds) - {CLAIMS.key}
    assert len(set(CLAIMS.indexes)) == len(CLAIMS.indexes)


def test_of_an_unknown_alert_no_time_is_made_up():
    assert {name for name, value in asdict(UNKNOWN).items() if value is None} == {"due_at", "step"}
    assert {value for value in asdict(UNKNOWN).values() if value is not None} == {""}
