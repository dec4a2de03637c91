"""What is wrong with the arguments of a check is said when the DAG is parsed, not at the first discrepancy."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_agari_provider.discrepancy.comparisons import (
    STRICT,
    check_names,
    check_skips,
    default_comparisons,
    require_tolerances,
)
from airflow_agari_provider.discrepancy.distribution import Distribution
from airflow_agari_provider.discrepancy.expected_volume import Expected
from airflow_agari_provider.discrepancy.keys import key_rule
from airflow_agari_provider.exceptions import require_one_of

if TYPE_CHECKING:
    from airflow_agari_provider.operators.discrepancy_check import DiscrepancyCheckOperator


def require_arguments(check: DiscrepancyCheckOperator) -> None:
    """:raises ValueError: an argument is not usable, or does not fit another one."""
    require_one_of("on_discrepancy", check.on_discrepancy, ("fail", "alert"))
    require_one_of("on_empty", check.on_empty, ("fail", "alert", "ok"))
    require_one_of("on_silent", check.on_silent, ("ok", "warn", "alarm"))
    of_keys = {f"tolerances[{each!r}]": limit for each, limit in (check.tolerances or {}).items()}
    others = {"total_tolerance": check.total_tolerance or STRICT, "warn_tolerance": check.warn_tolerance or STRICT}
    require_tolerances({"tolerance": check.tolerance, "growth": check.growth, **of_keys, **others})
    for name, wait in {"recheck_after": check.recheck_after, "grace": check.grace}.items():
        if not ((isinstance(wait, timedelta) and wait >= timedelta(0)) or (wait is None and name == "recheck_after")):
            raise ValueError(f"{name} is a timedelta, not {wait!r}: such as timedelta(minutes=5). It is no template.")
    if type(check.history_runs) is not int or check.history_runs < 1:
        raise ValueError(f"history_runs is a whole number of runs, 1 or more, not {check.history_runs!r}.")
    for name, kind, values in (
        ("expected", Expected, check.expected),
        ("distributions", Distribution, check.distributions),
    ):
        if isinstance(values, kind) or not all(isinstance(each, kind) for each in values):
            raise ValueError(f"{name} is a list of {kind.__name__}, not {values!r}.")
    key_rule(check.key)  # refuses a rule that there is not
    names = [stage["name"] for stage in check.stages]
    check_names(names, check.comparisons or (), check.hidden_stages)
    if check.counts_skips:
        check_skips(check.comparisons or default_comparisons(names, check.hidden_stages))
    _require_history(check)


def _require_history(check: DiscrepancyCheckOperator) -> None:
    """
    Check, when the DAG is parsed, that what is usual can be learnt.

    :raises ValueError: there is no history, or a stage or the skips that are named do not exist, or a name is there
        twice.
    """
    if not (check.expected or check.distributions):
        return
    if check.history_conn_id is None:
        raise ValueError(
            "expected and distributions need history_conn_id: what is usual is learnt from the runs before, which are"
            " kept there."
        )
    stages = {stage["name"] for stage in check.stages}
    if unknown := [each.stage for each in check.expected if each.stage not in stages]:
        raise ValueError(f"expected names the stage(s) {unknown}, but the check has {sorted(stages)}.")
    names = [*(each.name for each in check.expected), *(f"Distribution {each['name']}" for each in check.distributions)]
    names += [each.name for each in check.comparisons or ()]
    if len(set(names)) < len(names):
        raise ValueError(f"expected, distributions and comparisons have a name twice: {names}. Give each one once.")
    if any(each["of_skips"] for each in check.distributions) and not check.counts_skips:
        raise ValueError("A Distribution without a source is that of the skips, which the check does not have.")
