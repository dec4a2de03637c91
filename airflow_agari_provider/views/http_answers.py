"""HTTP answers that both web servers share: JSON with its ETag, the page, the files of the front end."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from airflow_agari_provider import __version__
from airflow_agari_provider.airflow_compat import conf
from airflow_agari_provider.views import pages

FILE_NAME = re.compile(r"[A-Za-z0-9_./-]{1,200}")  # no file system takes a longer name, or one with NUL
NO_SUCH_PATH = "There is no such page: an address names a DAG or a file."
CONTENT_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".txt": "text/plain; charset=utf-8",
}
JSON = "application/json"
HTML = "text/html; charset=utf-8"
REFRESH_SECONDS = 30
LARGEST_BODY = 16_384  # bytes of a request
GZIP_LEVEL = 1  # takes half the time of level 3; the answers are a twentieth larger
SECURITY_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'self'; "
        "base-uri 'none'; form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
TOO_SLOW = (
    "The database did not answer in time: it gave up after {seconds} seconds. Ask for fewer runs, fewer days or a "
    "single task; if that is slow too, have a look at the load of Airflow's metadata database."
)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. :param etag: empty if a client cannot ask whether the answer has changed."""

    status: int
    content_type: str
    body: bytes
    etag: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


def encoded(found: Mapping[str, Any]) -> bytes:
    """Encode as JSON, in a tenth of the time of Python's own ``json``."""
    import msgspec

    return msgspec.json.encode(found)


def json_answer(text: bytes, now: float, if_none_match: str | None) -> Answer:
    """
    Answer with what was found, and when; or with 304 if the reader has it already.

    :param text: a JSON object.
    :param now: time of the data, in epoch seconds.
    :param if_none_match: the header If-None-Match.
    """
    body = b'{"now":%.3f,%b' % (now, text[1:])
    return _unless_known(JSON, body, text, if_none_match)


def changed_answer(found: Mapping[str, Any], now: float, status: int = 200) -> Answer:
    """Answer to a request that has changed something."""
    return Answer(status, JSON, encoded({"now": now, **found}), headers=SECURITY_HEADERS)


def refused_change(headers: Mapping[str, str]) -> tuple[int, str] | None:
    """
    Return the status and the sentence for a request that is not to change anything; ``None``: it may.

    The login is a cookie, which a browser also sends with a form of another site. That form can send no JSON: for this
    type a browser asks first, and Airflow allows it only to the sites of ``[api] access_control_allow_origins``.
    """
    if headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return 403, "Another site has sent this request. Open the page in Airflow."
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() != JSON:
        return 415, f"Send the request as {JSON}."
    length = headers.get("Content-Length", "")
    if not length.isdecimal() or len(length) > 12 or int(length) > LARGEST_BODY:  # int() refuses thousands of digits
        return 413, f"Send at most {LARGEST_BODY:,} bytes, and their number in the header Content-Length."
    return None


def error_answer(status: int, sentence: str) -> Answer:
    return Answer(status, JSON, json.dumps({"detail": sentence}).encode(), headers=SECURITY_HEADERS)


def page_answer(airflow: int, root: str, if_none_match: str | None, name: str = "charts") -> Answer:
    """Answer with a page. :param airflow: 2 or 3. :param root: path of Airflow's first page. :param name: of a page."""
    page = pages.page_html(name, configuration(airflow, root), pages.FRONTEND).encode()
    return _unless_known(HTML, page, page, if_none_match)


def configuration(airflow: int, root: str) -> str:
    """Return the page's settings as JSON that is safe inside a script element."""
    old = airflow == 2
    slack = conf.get("agari", "slack_url", fallback="").strip()
    run = "dags/{dag_id}/grid?dag_run_id={run_id}" if old else "dags/{dag_id}/runs/{run_id}"
    settings = {
        "airflow": airflow,
        "version": __version__,
        "log_url": "dags/{dag_id}/grid?dag_run_id={run_id}&task_id={task_id}&tab=logs{mapped}"
        if old
        else "dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}?try_number={try_number}",
        "mapped_log_url": "&map_index={map_index}" if old else "/mapped/{map_index}",
        "root": root,
        "dag_url": "dags/{dag_id}/grid" if old else "dags/{dag_id}",
        "run_url": run,
        "task_url": f"{run}&task_id={{task_id}}&tab=logs" if old else f"{run}/tasks/{{task_id}}",
        "slack_url": slack if slack.startswith("https://") else "",
        "refresh_seconds": REFRESH_SECONDS,
    }
    return json.dumps(settings).replace("<", "\\u003c")


def file_answer(name: str, if_none_match: str | None) -> Answer:
    """Answer with a file of the front end; 404 for every other name or path."""
    folder = pages.FRONTEND.resolve()
    path = (folder / name).resolve() if FILE_NAME.fullmatch(name) else folder
    content_type = CONTENT_TYPES.get(path.suffix)
    if content_type is None or not path.is_relative_to(folder) or "node_modules" in path.parts or not path.is_file():
        return error_answer(404, "There is no such file; reload the page, its files change with a new version.")
    body = path.read_bytes()
    return _unless_known(content_type, body, body, if_none_match)


def _unless_known(content_type: str, body: bytes, stands_for: bytes, if_none_match: str | None) -> Answer:
    etag = f'W/"{blake2b(stands_for, digest_size=12).hexdigest()}"'
    known = {word.strip().removeprefix("W/") for word in (if_none_match or "").split(",")}
    if etag.removeprefix("W/") in known:
        return Answer(304, content_type, b"", etag, SECURITY_HEADERS)
    return Answer(200, content_type, body, etag, SECURITY_HEADERS)
