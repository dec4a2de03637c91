"""The sweep of the alerts as a task and a command run it: with the settings of ``airflow.cfg``."""

from __future__ import annotations

from dataclasses import asdict

from airflow_agari_provider.airflow_compat import conf
from airflow_agari_provider.airflow_runs import ANSWERS_EVERYWHERE, run_as_it_is
from airflow_agari_provider.exceptions import AgariError
from airflow_agari_provider.slas.airflow_api import RunsByApi
from airflow_agari_provider.slas.sweep import Swept, sweep


class NoClaimsNamed(AgariError):
    """Nothing says where the claims are."""

    def __str__(self) -> str:
        return (
            "It is not known which database the claims are in. Set [agari] alerts_conn_id to the connection id that "
            "set_slas has in claims='sql:<conn_id>', or give it."
        )


class NoApiNamed(AgariError):
    """
    Nothing says how to ask Airflow.

    :param in_a_dag: what does the same in a DAG, where it needs no API.
    """

    def __init__(self, in_a_dag: str) -> None:
        super().__init__(in_a_dag)
        self.in_a_dag = in_a_dag

    def __str__(self) -> str:
        return (
            "Airflow 3 tells the states of tasks outside of a task only by its REST API. Make a connection of type "
            "http with host, login and password of a user who may read runs and task instances, and set [agari] "
            f"airflow_api_conn_id to its id, or give it. In a DAG, {self.in_a_dag} needs none."
        )


def claims_named(conn_id: str | None) -> str:
    """
    Return ``sql:<conn_id>`` of the claims.

    :param conn_id: default: ``[agari] alerts_conn_id``.
    :raises NoClaimsNamed: there is neither.
    """
    named = (conn_id or conf.get("agari", "alerts_conn_id", fallback="")).strip()
    if not named:
        raise NoClaimsNamed
    return f"sql:{named}"


def api_named(conn_id: str | None, in_a_dag: str | None) -> str:
    """
    Return the connection to Airflow 3's REST API; empty if it is not needed.

    :param conn_id: default: ``[agari] airflow_api_conn_id``.
    :param in_a_dag: what does the same in a DAG; None: this is a task of Airflow.
    :raises NoApiNamed: this is none, on Airflow 3, and there is no connection to the API.
    """
    api = (conn_id or conf.get("agari", "airflow_api_conn_id", fallback="")).strip()
    if not api and in_a_dag and not ANSWERS_EVERYWHERE:
        raise NoApiNamed(in_a_dag)
    return api


def sweep_alerts(
    claims_conn_id: str | None = None, airflow_api_conn_id: str | None = None, seconds: float = 240
) -> dict[str, int]:
    """
    Look at what was reported and is not closed; for a task that runs every few minutes.

    Recoveries that were lost are sent, failures after a miss, and alerts whose sender died or that were silenced. Old
    rows are deleted.

    :param claims_conn_id: connection of the claims; default: ``[agari] alerts_conn_id``.
    :param airflow_api_conn_id: connection to Airflow 3's REST API; default: ``[agari] airflow_api_conn_id``. Without
        one, the task asks the process that started it. That tells no times, so recoveries do not say how late it was.
    :param seconds: no further run is looked at after this time.
    :return: how many alerts were ``open``, ``recovered``, ``failed``, ``sent``, ``given_up``, ``unknown`` and ``left``
        for the next time, and how many rows were ``pruned``.
    :raises NoClaimsNamed: no connection of the claims is given or set.
    :raises ClaimsUnavailable: the claims cannot be used.
    """
    return asdict(swept(claims_conn_id, airflow_api_conn_id, seconds, in_task=True))


def swept(claims_conn_id: str | None, airflow_api_conn_id: str | None, seconds: float, *, in_task: bool) -> Swept:
    """
    Sweep, as :func:`sweep_alerts` does.

    :param in_task: whether this is a task of Airflow.
    :raises NoApiNamed: it is none, on Airflow 3, and there is no connection to the API.
    """
    api = api_named(airflow_api_conn_id, None if in_task else "sweep_alerts()")
    return sweep(
        claims_named(claims_conn_id),
        RunsByApi(api) if api else run_as_it_is,
        give_up_days=conf.getfloat("agari", "alerts_give_up_days", fallback=7.0),
        keep_days=conf.getfloat("agari", "alerts_keep_days", fallback=90.0),
        seconds=seconds,
    )
