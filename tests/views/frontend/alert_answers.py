"""Answers of the alerts' server, as its contract has them."""

from __future__ import annotations

from typing import Any

NOW = 1_795_168_000  # 2026-11-20 09:46:40 UTC
DAY = 86400
TASKS = ("load_data_into_db", "score_messages", "send_email_notification_flow_successful")


def told(service: str, state: str = "sent", at: float = NOW, **changed: Any) -> dict[str, Any]:
    reference = "C012AB3CD:1795168000.000100" if (service, state) == ("Slack", "sent") else ""
    usual = {"destination": f"{service} on_call", "step": 0.0, "reference": reference, "silence": "", "recovery": ""}
    return {"service": service, "state": state, "at": at, **usual, **changed}


def miss(number: int, **changed: Any) -> dict[str, Any]:
    """A miss of two hours and ``number`` times five hours ago, which came in after some minutes."""
    due = NOW - 7200 - number * 5 * 3600
    late = 240 + (number * 977) % 5400
    return {
        "environment": "EP_STAGE",
        "dag_id": "ep_telemetry_v2" if number % 3 else "message_scoring",
        "run_id": f"scheduled__{number:03}",
        "task_id": TASKS[number % 3],
        "sla": "within 30 min",
        "owner": "data" if number % 3 else "ada",
        "due": due,
        "found": due + 2,
        "came_in": due + late,
        "late_seconds": late,
        "outcome": "came in",
        "state": None,
        "told": [told("Slack", at=due + 3, recovery="sent"), told("VictorOps", at=due + 2, recovery="sent")],
        **changed,
    }


OPEN = {"came_in": None, "late_seconds": None, "outcome": "open"}


def misses(count: int = 40) -> list[dict[str, Any]]:
    """Two open ones, one that was marked by hand, and others that came in."""
    return [
        miss(0, **OPEN, state="running", told=[told("Slack", at=NOW - 7190), told("VictorOps", at=NOW - 7195)]),
        miss(1, **OPEN, state="up_for_retry", told=[told("Slack", "doubtful"), told("VictorOps", "refused")]),
        miss(2, state="success", told=[told("Slack", at=NOW - 40000)]),
        miss(3, task_id=None, told=[told("Slack", "silenced")]),
        *(miss(number) for number in range(4, count)),
    ]


def alerts_answer(count: int = 40, **changed: Any) -> dict[str, Any]:
    listed = misses(count)
    since = NOW - 30 * DAY
    days = range(since // DAY, -(-NOW // DAY))
    slas = [
        ("ep_telemetry_v2", "score_messages", 13, 720, 4100, 5300, 1),
        ("message_scoring", "load_data_into_db", 13, None, 3000, 5000, 1),
        ("ep_telemetry_v2", None, 1, 720, None, None, 0),
    ]
    return {
        "now": NOW,
        "since": since,
        "until": None,
        "complete": True,
        "note": None,
        "dag_ids": ["ep_telemetry_v2", "message_scoring"],
        "counts": {
            "open": 2,
            "incidents": 2,
            "missed": count,
            "listed": count,
            "unlisted": 0,
            "hidden": 5,
            "doubtful": 1,
            "refused": 1,
            "silenced": 1,
        },
        "hit_rate": 0.9806,
        "p95_late_seconds": 4300,
        "misses": {name: [one[name] for one in listed] for name in listed[0]},
        "slas": {
            "environment": ["EP_STAGE"] * 3,
            "dag_id": [one[0] for one in slas],
            "task_id": [one[1] for one in slas],
            "sla": ["within 30 min"] * 3,
            "owner": ["data"] * 3,
            "missed": [one[2] for one in slas],
            "runs": [one[3] for one in slas],
            "hit_rate": [None if one[3] is None else 1 - one[2] / one[3] for one in slas],
            "p95_late_seconds": [one[4] for one in slas],
            "worst_late_seconds": [one[5] for one in slas],
            "open": [one[6] for one in slas],
        },
        "days": {
            "start": [day * DAY for day in days],
            "missed": [sum(one["due"] // DAY == day for one in listed) for day in days],
        },
        **changed,
    }


def silences_answer(**changed: Any) -> dict[str, Any]:
    """One silence that the reader may end, and one of all DAGs that they may not."""
    return {
        "now": NOW,
        "environment": "EP_STAGE",
        "dag_ids": ["message_scoring"],
        "may_silence_all": False,
        "csrf_token": "token",
        "silences": {
            "id": ["0a1b2c3d", "4e5f6a7b"],
            "dag_id": ["message_scoring", "*"],
            "task_id": ["load_*", "*"],
            "environment": ["EP_STAGE", "*"],
            "since": [NOW - 600, NOW + 86400],
            "until": [NOW + 3000, NOW + 90000],
            "who": ["ada", "root"],
            "why": ["database upgrade", "move to another region"],
            "may_end": [True, False],
        },
        **changed,
    }


def no_silences(**changed: Any) -> dict[str, Any]:
    found = silences_answer(**changed)
    return {**found, "silences": {name: [] for name in found["silences"]}}


def no_alerts(**changed: Any) -> dict[str, Any]:
    found = alerts_answer()
    columns = {name: {column: [] for column in found[name]} for name in ("misses", "slas")}
    days = {"start": found["days"]["start"], "missed": [0] * len(found["days"]["start"])}
    counts = dict.fromkeys(found["counts"], 0)
    return {**found, **columns, "days": days, "counts": counts, "hit_rate": None, "p95_late_seconds": None, **changed}
