from __future__ import annotations

import json
import re

import pytest

from airflow_agari_provider.views import http_answers, pages

OURS = {"Content-Type": "application/json; charset=utf-8", "Content-Length": "20"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (OURS, None),
        (OURS | {"Sec-Fetch-Site": "same-origin"}, None),
        (OURS | {"Sec-Fetch-Site": "cross-site"}, 403),
        (OURS | {"Sec-Fetch-Site": "same-site"}, 403),
        (OURS | {"Content-Type": "text/plain"}, 415),
        (OURS | {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Length": "20"}, 415),
        (OURS | {"Content-Length": "16384"}, None),
        (OURS | {"Content-Length": "16385"}, 413),
        (OURS | {"Content-Length": "9" * 5000}, 413),
        (OURS | {"Content-Length": "-1"}, 413),
        ({"Content-Type": "application/json"}, 413),
    ],
)
def test_what_another_site_can_send_changes_nothing(headers, status):
    refused = http_answers.refused_change(headers)
    assert (refused and refused[0]) == status


@pytest.fixture
def frontend(tmp_path, monkeypatch):
    folder = tmp_path / "frontend"
    (folder / "vendor").mkdir(parents=True)
    (folder / "node_modules").mkdir()
    (folder / pages.TEMPLATE).write_text('<script id="configuration">__CONFIGURATION__</script>__CHARTS__ __MODULE__')
    for name in ("page.js", "page.css", "vendor/echarts.min.js", "package.json", "node_modules/x.js"):
        (folder / name).write_text(name)
    (tmp_path / "secret.js").write_text("secret")
    (folder / "link.js").symlink_to(tmp_path / "secret.js")
    monkeypatch.setattr(pages, "FRONTEND", folder)
    return folder


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("page.js", "text/javascript; charset=utf-8"),
        ("page.css", "text/css; charset=utf-8"),
        ("vendor/echarts.min.js", "text/javascript; charset=utf-8"),
    ],
)
def test_a_file_of_the_front_end_is_served_with_its_type(frontend, name, content_type):
    answer = http_answers.file_answer(name, None)
    assert (answer.status, answer.content_type, answer.body) == (200, content_type, name.encode())


@pytest.mark.parametrize(
    "name",
    [
        "../secret.js",
        "vendor/../../secret.js",
        "/etc/passwd",
        "link.js",
        "package.json",
        "node_modules/x.js",
        "page.html",
        "no.js",
        "",
        "page.js\0",
        f"{'x' * 5000}.js",
        f"{'x/' * 5000}y.js",
        "é.js",
    ],
)
def test_nothing_else_is_served(frontend, name):
    assert http_answers.file_answer(name, None).status == 404


def test_a_file_that_the_browser_has_is_not_sent_again_until_it_changes(frontend):
    etag = http_answers.file_answer("page.js", None).etag
    again = http_answers.file_answer("page.js", f'"other", {etag}')
    assert (again.status, again.body, again.etag) == (304, b"", etag)
    (frontend / "page.js").write_text("new")
    assert http_answers.file_answer("page.js", etag).status == 200


def test_an_unchanged_answer_keeps_its_etag_at_any_time():
    first = http_answers.json_answer(http_answers.encoded({"runs": [1]}), 100.0, None)
    assert json.loads(first.body) == {"now": 100.0, "runs": [1]}
    assert http_answers.json_answer(http_answers.encoded({"runs": [1]}), 200.0, first.etag).status == 304
    assert http_answers.json_answer(http_answers.encoded({"runs": [2]}), 200.0, first.etag).status == 200


def test_the_page_knows_its_airflow_and_no_value_can_end_its_script(frontend):
    page = http_answers.page_answer(3, "/af/</script>__MODULE__/", None, "alerts").body.decode()
    assert page.count("</script>") == 1
    settings = json.loads(page.removeprefix('<script id="configuration">').partition("</script>")[0])
    assert (settings["airflow"], settings["root"]) == (3, "/af/</script>__MODULE__/")
    assert settings["log_url"] == "dags/{dag_id}/runs/{run_id}/tasks/{task_id}{mapped}?try_number={try_number}"


@pytest.mark.parametrize("name", sorted(pages.PAGES))
def test_each_page_has_its_title_and_its_modules(name):
    page = http_answers.page_answer(3, "/", None, name).body.decode()
    assert f"<title>{pages.PAGES[name].title}</title>" in page
    assert not re.search("__[A-Z]+__", page)
    files = re.findall(r'src="static/([^"]+)"', page)
    assert files[-1] == pages.PAGES[name].module
    assert ("vendor/echarts.common.min.js" in files) is (name != "alerts")
    assert all((pages.FRONTEND / file).is_file() for file in files)


def test_only_https_leads_to_slack(frontend, monkeypatch):
    (frontend / pages.TEMPLATE).write_text("alerts __CONFIGURATION__")
    for address, shown in (("https://example.slack.com", "https://example.slack.com"), ("javascript:alert(1)", "")):
        monkeypatch.setenv("AIRFLOW__AGARI__SLACK_URL", address)
        page = http_answers.page_answer(2, "/", None, "alerts").body.decode()
        assert json.loads(page.removeprefix("alerts "))["slack_url"] == shown


def test_every_answer_may_be_framed_by_airflow_alone_and_kept_by_the_reader_alone(frontend):
    for answer in (
        http_answers.page_answer(2, "/", None),
        http_answers.file_answer("page.js", None),
        http_answers.error_answer(403, "No."),
    ):
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["Content-Security-Policy"] == (
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; frame-ancestors 'self'; "
            "base-uri 'none'; form-action 'self'"
        )
