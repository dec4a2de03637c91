from __future__ import annotations

import re

import pytest

from airflow_agari_provider.views import pages
from airflow_agari_provider.views.pages import FRONTEND, PAGES, TEMPLATE, page_html


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_its_title_its_module_and_its_configuration_and_no_mark_is_left(name):
    text = page_html(name, '{"root": "/"}')
    assert f"<title>{PAGES[name].title}" in text
    assert PAGES[name].module in text
    assert '{"root": "/"}' in text
    assert re.findall(r"__[A-Z]+__", text) == []
    assert ("echarts" in text) is PAGES[name].charts


@pytest.mark.parametrize("name", PAGES)
def test_the_files_of_a_page_are_there(name):
    assert (FRONTEND / PAGES[name].module).is_file()
    assert (FRONTEND / TEMPLATE).is_file()


def test_what_a_configuration_holds_is_not_looked_at_again():
    text = page_html("charts", '{"dag": "__TITLE__ __MODULE__ __CONFIGURATION__ \\\\1 ü"}')
    assert '{"dag": "__TITLE__ __MODULE__ __CONFIGURATION__ \\\\1 ü"}' in text


def test_a_title_is_escaped(monkeypatch):
    monkeypatch.setattr(pages, "PAGES", {"x": pages.Page("<b>&", "x.js")})
    assert "&lt;b&gt;&amp;" in page_html("x", "{}")


def test_a_page_that_there_is_not_is_none():
    with pytest.raises(KeyError):
        page_html("../secret", "{}")
